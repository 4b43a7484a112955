"""What a notebook saves: by our function, by numpy alone, and by somebody who means ill."""

import io
import os
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import images
from mlserverless.certification import save_reference
from mlserverless.certification.reference import read_reference
from mlserverless.errors import InvalidRequest

PNG = images.encode(images.gradient(6, 4))
RGB = np.asarray(images.gradient(6, 4))
INPUT = np.zeros((1, 4, 4, 3), np.float32)


def saved(path: Path, **arrays: Any) -> Path:
    """Write arrays as a notebook with numpy alone does."""
    np.savez(path / "notebook.npz", **arrays)
    return path / "notebook.npz"


def refused(path: Path, **limits: int) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_reference(path, **limits)
    return str(caught.value)


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    save_reference(
        tmp_path / "notebook.npz",
        images=[str(tmp_path / "a.png"), PNG, RGB],
        decoded=[RGB, RGB, RGB],
        resized=np.zeros((3, 4, 4, 3), np.uint8),
        input=np.zeros((3, 4, 4, 3), np.float32),
        output=[[1, 2], [3, 4], [5, 6]],
        scores=np.ones((3, 1, 1, 2)),
        labels=["cat", "dog"],
        top1=["cat", "dog", "dog"],
    )
    found = read_reference(tmp_path / "notebook.npz")
    assert found.images[:2] == (PNG, PNG)
    assert np.array_equal(found.images[2], RGB)  # type: ignore[arg-type]
    assert [pixels.shape for pixels in found.decoded] == [(4, 6, 3)] * 3
    assert [pixels.shape for pixels in found.resized] == [(4, 4, 3)] * 3
    assert found.output is not None
    assert found.output.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.scores is not None
    assert found.scores.shape == (3, 2)
    assert (found.labels, found.top1, found.count) == (("cat", "dog"), ("cat", "dog", "dog"), 3)


def test_numpy_alone_can_write_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    by_name = read_reference(saved(tmp_path, images=np.array(["a.png"]), input=np.asfortranarray(INPUT)))
    assert by_name.images == (PNG,)
    assert by_name.input is not None
    assert by_name.input.shape == (1, 4, 4, 3)
    by_bytes = read_reference(saved(tmp_path, images_0=np.frombuffer(PNG, np.uint8), predictions=[3]))
    assert by_bytes.images == (PNG,)
    assert by_bytes.top1 == (3,)
    by_pixels = read_reference(saved(tmp_path, images=RGB[None], input=INPUT))
    assert np.array_equal(by_pixels.images[0], RGB)  # type: ignore[arg-type]


def test_the_hash_is_of_the_file_and_of_the_images_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    path = saved(tmp_path, images=np.array(["a.png"]), input=INPUT)
    before = read_reference(path).sha256
    assert read_reference(path).sha256 == before
    (tmp_path / "a.png").write_bytes(images.encode(images.gradient(6, 5)))
    assert read_reference(path).sha256 != before


@pytest.mark.parametrize("name", ["../secret.png", "photos/../../secret.png", "linked.png", "away/secret.png", ""])
def test_an_image_is_read_only_in_the_folder_of_the_file_that_names_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    place = tmp_path / "shared"
    (place / "photos").mkdir(parents=True)
    (place / "linked.png").symlink_to(tmp_path / "secret.png")
    (place / "away").symlink_to(tmp_path)
    name = name or str(tmp_path / "secret.png")
    message = refused(saved(place, images=np.array([name]), input=INPUT))
    assert f"the image {name} is outside of its folder" in message
    assert "See docs/how-to/certify-a-model.md" in message


@pytest.mark.parametrize("name", ["photos/a.png", "photos/../a.png", "b.png"])
def test_an_image_may_be_further_down_and_a_link_within_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.png").write_bytes(PNG)
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.png").symlink_to("photos/a.png")
    assert read_reference(saved(tmp_path, images=np.array([name]), input=INPUT)).images == (PNG,)


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        message = refused(saved(tmp_path, images=np.array([name]), input=INPUT))
        assert f"the image {name} cannot be read beside it" in message
    os.mkfifo(tmp_path / "pipe.npz")
    assert "pipe.npz cannot be read: it is no file" in refused(tmp_path / "pipe.npz")


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"input": INPUT}, "has no images"),
        ({"images": RGB[None]}, "nothing to compare them by"),
        ({"images": RGB[None], "labels": ["a"]}, "nothing to compare them by"),
        ({"images": RGB[None], "inputs": INPUT}, "inputs is not known"),
        ({"images": RGB[None], "input": np.zeros((2, 4))}, "has 1 images, but input is of 2"),
        ({"images": RGB[None], "input": np.array(["a"])}, "input has the shape (1,) and dtype <U1"),
        ({"images": RGB[None].astype(float), "input": INPUT}, "dtype float64; accepted are encoded bytes"),
        ({"images": RGB[None, ..., :2], "input": INPUT}, "accepted are encoded bytes"),
        ({"images": RGB[None, :, :, 0, None, None], "input": INPUT}, "accepted are encoded bytes"),
        ({"images": np.zeros(5, np.uint8), "input": INPUT}, "images_0, images_1, … one an image"),
        ({"images_0": RGB, "images": RGB[None], "input": INPUT}, "has both images and images_0"),
        ({"images_1": RGB, "input": INPUT}, "images_0 to images_1 are not all there"),
        ({"images": RGB[None], "decoded": np.zeros((1, 1, 2, 3, 4))}, "decoded has the shape (1, 2, 3, 4)"),
        ({"images": RGB[None], "input": INPUT, "labels": np.zeros(3)}, "labels has the shape (3,)"),
        ({"images": RGB[None], "top1": np.zeros(1)}, "top1 has the shape (1,) and dtype float64"),
        ({"images": RGB[None], "top1": [1], "predictions": [1]}, "two names of one thing"),
        ({"images": RGB[None], "input": INPUT * np.nan}, "input has NaN or infinite values"),
        ({"images": RGB[None], "input": INPUT.astype(complex)}, "holds complex128; read are numbers and texts"),
        ({"images": RGB[None], "input": INPUT > 0}, "holds bool; read are numbers and texts"),
        ({"images": np.array(["none.png"]), "input": INPUT}, "the image none.png cannot be read beside it"),
        ({"images": np.array(["a\0b"]), "input": INPUT}, "cannot be read beside it"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, arrays: dict[str, Any], told: str) -> None:
    message = refused(saved(tmp_path, **arrays))
    assert told in message
    assert "notebook.npz" in message


def test_saving_what_could_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="has 1 images, but output is of 2"):
        save_reference(tmp_path / "a.npz", images=[PNG], output=np.zeros((2, 3)))
    with pytest.raises(InvalidRequest, match=r"The image 'none\.png' cannot be read"):
        save_reference(tmp_path / "a.npz", images=["none.png"], output=np.zeros((1, 3)))
    assert not (tmp_path / "a.npz").exists()


def test_pickles_are_not_read(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "harmed",))

    assert "pickled objects" in refused(saved(tmp_path, images=np.array([Harm()], object)))
    assert not (tmp_path / "harmed").exists()


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(tmp_path / "none.npz")
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 and no more")
    assert "is not an .npz file that can be read" in refused(tmp_path / "a.npz")


def member(path: Path, *files: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    twice = len({name for name, _ in files}) < len(files)  # of which zipfile warns
    told = pytest.warns(UserWarning, match="Duplicate name") if twice else nullcontext()
    with told, zipfile.ZipFile(path / "notebook.npz", "w", compression) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path / "notebook.npz"


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = member(tmp_path, ("input.npy", npy(np.zeros(5_000_000, np.uint8))), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    assert "bytes unpacked; at most 1,000,000 are read" in refused(path, limit=1_000_000)


@pytest.mark.parametrize("text", ["-" * 9000 + "1", "{'descr': " + "(" * 3000 + "1" + ")" * 3000 + "}"])
def test_a_header_that_no_parser_takes_is_told_in_few_words(text: str, tmp_path: Path) -> None:
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    told = refused(member(tmp_path, ("input.npy", data)))
    assert "not an .npz file" in told
    assert len(told) < 700


def test_a_header_that_claims_more_than_there_is_makes_no_room_for_it(tmp_path: Path) -> None:
    header = npy(INPUT).replace(b"(1, 4, 4, 3)", b"(999999999,)")
    assert "claims the shape" in refused(member(tmp_path, ("input.npy", header)))
    header = npy(INPUT).replace(b"(1, 4, 4, 3)", b"(-1,-4, 4,3)")
    assert "not an .npz file" in refused(member(tmp_path, ("input.npy", header)))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is not an .npz file that can be read"),
        (b"\x93NUMPY\x09\x00" + b" " * 80, "is of the .npy version (9, 0)"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b" " * 80, "is not an .npz file that can be read"),
        (npy(INPUT)[:-1], "claims the shape"),
        (npy(INPUT) + b"x", "claims the shape"),
    ],
)
def test_what_is_no_array_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    assert told in refused(member(tmp_path, ("input.npy", data)))


def test_an_array_that_is_there_twice_is_told(tmp_path: Path) -> None:
    one = ("input.npy", npy(INPUT))
    assert "has an array twice" in refused(member(tmp_path, one, one))


def test_too_many_arrays_and_too_large_images_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlserverless.certification.npz.MAX_MEMBERS", 1)
    assert "has 2 arrays; at most 1 are read" in refused(saved(tmp_path, images=RGB[None], input=INPUT))
    monkeypatch.undo()
    monkeypatch.setattr("mlserverless.certification.reference.MAX_IMAGES", 1)
    two = saved(tmp_path, images=np.stack([RGB, RGB]), input=np.zeros((2, 3)))
    assert "has 2 images; at most 1 are read" in refused(two)
    monkeypatch.setattr("mlserverless.certification.reference.MAX_IMAGE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(PNG)
    named = saved(tmp_path, images=np.array(["a.png"]), input=INPUT)
    assert "the image a.png has more than 10 bytes" in refused(named)
