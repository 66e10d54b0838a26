"""Arrays → Plotly figures, one file per page. No Streamlit here: a figure is data, and is tested as data."""
