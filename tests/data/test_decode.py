import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oodcore.data import decode
from oodcore.errors import DataError


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_a_lossless_file_gives_its_own_pixels(kind: str, noise: Callable[..., np.ndarray]) -> None:
    pixels = noise(7, 9, 3)
    read = decode(saved(Image.fromarray(pixels), kind))
    assert read.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(read), pixels)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "AVIF", "MPO"])
def test_lossy_formats_are_read(kind: str) -> None:
    read = decode(saved(Image.new("RGB", (9, 7), (200, 40, 90)), kind))
    assert (read.mode, read.size) == ("RGB", (9, 7))
    np.testing.assert_allclose(np.asarray(read).mean((0, 1)), (200, 40, 90), atol=6)


def test_bytes_a_path_and_an_open_file_are_the_same_picture(coded: Callable[..., bytes], tmp_path: Path) -> None:
    content = coded()
    (tmp_path / "a.png").write_bytes(content)
    with (tmp_path / "a.png").open("rb") as file:
        pictures = [decode(content), decode(tmp_path / "a.png"), decode(file)]
    assert len({picture.tobytes() for picture in pictures}) == 1


def test_sixteen_bit_grey_keeps_its_whole_range() -> None:
    values = np.array([[0, 257 * 100, 65535, 128]], dtype=np.uint16)
    read = np.asarray(decode(saved(Image.fromarray(values))))
    np.testing.assert_array_equal(read[..., 0], [[0, 100, 255, 0]])
    np.testing.assert_array_equal(read[..., 0], read[..., 2])


def test_thirty_two_bit_grey_beyond_sixteen_bits_is_refused() -> None:
    with pytest.raises(DataError, match=r"0\.\.65535"):
        decode(saved(Image.fromarray(np.array([[70000]], dtype=np.int32)), "TIFF"))


def test_floating_point_pictures_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"'map\.tiff' holds floating-point"):
        decode(saved(Image.fromarray(np.array([[0.5]], dtype=np.float32)), "TIFF"), "map.tiff")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_on_white(mode: str) -> None:
    picture = Image.new("RGBA", (2, 1))
    picture.putpixel((0, 0), (10, 10, 10, 255))
    picture.putpixel((1, 0), (10, 10, 10, 0))
    np.testing.assert_array_equal(np.asarray(decode(saved(picture.convert(mode))))[0], [[10] * 3, [255] * 3])


def test_half_transparent_black_is_mid_grey() -> None:
    assert decode(saved(Image.new("RGBA", (1, 1), (0, 0, 0, 128)))).getpixel((0, 0)) == (127, 127, 127)


def test_a_palette_with_a_transparent_colour_lies_on_white() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([0, 0, 0, 200, 0, 0])
    picture.putpixel((1, 0), 1)
    for kind in ("GIF", "PNG"):
        read = decode(saved(picture, kind, transparency=0))
        assert [read.getpixel((0, 0)), read.getpixel((1, 0))] == [(255, 255, 255), (200, 0, 0)]


def test_cmyk_becomes_the_same_colour() -> None:
    read = decode(saved(Image.new("RGB", (16, 16), (220, 30, 40)).convert("CMYK"), "JPEG", quality=95))
    np.testing.assert_allclose(np.asarray(read).mean((0, 1)), (220, 30, 40), atol=6)


def test_black_and_white_becomes_rgb() -> None:
    assert decode(saved(Image.new("1", (1, 1), 1))).getpixel((0, 0)) == (255, 255, 255)


def test_the_camera_s_orientation_is_applied() -> None:
    picture = Image.new("RGB", (2, 1), "black")
    picture.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees: what is left was up
    read = decode(saved(picture, "PNG", exif=exif.tobytes()))
    assert read.size == (1, 2)
    assert [read.getpixel((0, 0)), read.getpixel((0, 1))] == [(255, 255, 255), (0, 0, 0)]


def test_a_damaged_exif_block_is_no_reason_to_refuse() -> None:
    assert decode(saved(Image.new("RGB", (3, 2)), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")).size == (3, 2)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "green")]
    read = decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    np.testing.assert_allclose(np.asarray(read).mean((0, 1)), (255, 0, 0), atol=4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_a_cut_off_file_is_refused(kind: str, noise: Callable[..., np.ndarray]) -> None:
    whole = saved(Image.fromarray(noise(64, 64, 3)), kind)
    with pytest.raises(DataError, match=r"'photo' (is damaged or cut off|is not a picture)"):
        decode(whole[: len(whole) // 2], "photo")


@pytest.mark.parametrize("content", [b"hello, this is text", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7"])
def test_what_is_no_picture_is_refused_whatever_its_name(content: bytes) -> None:
    with pytest.raises(DataError, match=r"'notes\.png' is not a picture"):
        decode(content, "notes.png")


def test_postscript_never_reaches_an_interpreter() -> None:
    with pytest.raises(DataError, match="is not a picture"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")


def test_an_empty_file_says_so() -> None:
    with pytest.raises(DataError, match=r"'a\.png' is empty"):
        decode(b"", "a.png")


def test_a_missing_file_a_folder_and_a_pipe_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*gone\.png"):
        decode(tmp_path / "gone.png")
    with pytest.raises(DataError, match="is a folder"):
        decode(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="no regular file"):
        decode(tmp_path / "pipe")


def test_a_path_with_a_null_byte_is_refused() -> None:
    with pytest.raises(DataError):
        decode(Path("a\0.png"))


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(2**40)  # sparse: reading it would fill the memory
    with pytest.raises(DataError, match=r"'huge\.png' is larger than the limit of 64 MiB"):
        decode(huge)


def test_a_stream_without_end_is_read_up_to_the_limit() -> None:
    with Path("/dev/zero").open("rb") as endless, pytest.raises(DataError, match="larger than the limit of 1 MiB"):
        decode(endless, max_bytes=2**20)


def header_only_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [5_000, 12_000, 20_000])  # ours, where Pillow warns, where Pillow refuses
def test_too_many_pixels_are_refused_before_decoding(side: int) -> None:
    with pytest.raises(DataError, match=r"'bomb' has .* limit of 24 million pixels"):
        decode(header_only_png(side, side), "bomb")


def test_the_pixel_limit_itself_is_allowed() -> None:
    assert decode(saved(Image.new("RGB", (4, 3))), max_pixels=12).size == (4, 3)
    with pytest.raises(DataError):
        decode(saved(Image.new("RGB", (4, 3))), max_pixels=11)


WHOLE = {
    kind: saved(Image.new("RGB", (12, 12), (9, 99, 199)), kind)
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")
}


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(sorted(WHOLE)), at=st.integers(0, 200), value=st.integers(0, 255), cut=st.integers(0, 50))
def test_damage_anywhere_gives_a_picture_or_one_sentence(kind: str, at: int, value: int, cut: int) -> None:
    content = bytearray(WHOLE[kind])
    content[at % len(content)] = value
    refusal = ""
    try:
        assert decode(bytes(content[: len(content) - cut])).mode == "RGB"
    except DataError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert refusal == "" or refusal.endswith(".")


def test_a_path_may_be_a_text(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3), "red").save(tmp_path / "photo.png")
    assert decode(str(tmp_path / "photo.png")).size == (4, 3)
