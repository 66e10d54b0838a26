// The token never leaves this browser except to the server it came from. Where storage is forbidden, it lives as long as the page.

const NAME = "ood-explorer-owner";

export default function ({ data, setStateValue }) {
  const kept = recall() ?? keep(data.candidate);
  if (kept !== data.candidate) setStateValue("token", kept);
}

function recall() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

function keep(token) {
  try {
    localStorage.setItem(NAME, token);
  } catch {
    // private windows may refuse
  }
  return token;
}
