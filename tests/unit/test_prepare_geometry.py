"""Resizing and fitting, against pixels found by hand; decoding at a fraction of the size."""

from typing import Any

import pytest
from PIL import Image

from helpers.images import encode, gradient, pixels, rows
from mlserverless import prepare
from mlserverless.formats import open_image
from mlserverless.prepare import prepare_image

R, G, B, W, K = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
GREYS = [(value, value, value) for value in (0, 50, 100, 150, 200, 250)]


def prepared(image: Image.Image, size: tuple[int, int], **options: Any) -> list[Any]:
    return pixels(prepare_image(image, size, **options))


def test_image_of_the_right_size_is_not_touched() -> None:
    image = gradient(5, 4)
    assert prepared(image, (5, 4), resize="bicubic") == pixels(image)


def test_default_is_nearest_and_stretch() -> None:
    # 4 × 2 to 2 × 1: the middle of each target pixel falls on a border, and nearest takes what lies after it
    assert prepared(rows([R, G, B, W], [K, K, W, G]), (2, 1)) == [[K, G]]


def test_target_is_width_then_height() -> None:
    assert prepare_image(gradient(10, 10), (7, 3)).size == (7, 3)


@pytest.mark.parametrize("resize", ["bilinear", "box"])
def test_halving_averages_neighbours(resize: str) -> None:
    found = prepared(rows(GREYS[:4]), (2, 1), resize=resize)
    # box: the mean of two. bilinear: a triangle two pixels to each side of the middle (at 1.0 and 3.0), weights
    # 3/8 3/8 1/8 of pixels 0 1 2, renormalised at the edge: (0·3 + 50·3 + 100·1) / 7 = 35.7
    wanted = [25, 125] if resize == "box" else [36, 114]
    assert found == [[(value,) * 3 for value in wanted]]


@pytest.mark.parametrize("resize", ["nearest", "box"])
def test_doubling_repeats(resize: str) -> None:
    assert prepared(rows([R, G]), (4, 2), resize=resize) == [[R, R, G, G]] * 2


@pytest.mark.parametrize("resize", ["nearest", "bilinear", "bicubic", "lanczos", "box"])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_one_colour_stays_that_colour(resize: str, fit: str) -> None:
    image = Image.new("RGB", (37, 37), (12, 200, 99))
    assert prepared(image, (5, 5), resize=resize, fit=fit, crop=0.875) == [[(12, 200, 99)] * 5] * 5


def test_filters_are_the_named_ones() -> None:
    image = gradient(31, 17)
    for name in ("nearest", "bilinear", "bicubic", "lanczos", "box"):
        wanted = image.resize((9, 5), Image.Resampling[name.upper()])
        assert prepared(image, (9, 5), resize=name) == pixels(wanted)


def test_stretch_gives_up_the_aspect_ratio() -> None:
    assert prepared(rows([R, R, B, B]), (2, 2), resize="box") == [[R, B]] * 2


def test_crop_keeps_the_middle_of_a_wide_image() -> None:
    assert prepared(rows([R, G, B, W], [R, G, B, W]), (2, 2), fit="crop") == [[G, B]] * 2


def test_crop_keeps_the_middle_of_a_tall_image() -> None:
    assert prepared(rows([R], [G], [B]), (1, 1), fit="crop") == [[G]]


def test_crop_to_a_share_cuts_the_border() -> None:
    image = rows(*[[K] * 8, *[[K, *[W] * 6, K]] * 6, [K] * 8])
    assert prepared(image, (6, 6), fit="crop", crop=0.75) == [[W] * 6] * 6
    assert prepared(image, (8, 8), fit="crop") == pixels(image)


def test_crop_to_a_share_of_an_image_that_has_the_target_size() -> None:
    assert prepared(rows(*[[K] * 4, [K, R, G, K], [K, B, W, K], [K] * 4]), (4, 4), fit="crop", crop=0.5) == [
        [R, R, G, G],
        [R, R, G, G],
        [B, B, W, W],
        [B, B, W, W],
    ]


def test_crop_between_pixels_takes_their_share() -> None:
    # the middle 0.875 of 16 is 14: from 1 to 15, so one target pixel of two is the mean of source pixels 1…7
    image = rows(*[[(10 * x,) * 3 for x in range(16)]] * 8)
    assert prepared(image, (2, 1), resize="box", fit="crop", crop=0.875)[0] == [(40,) * 3, (110,) * 3]


@pytest.mark.parametrize(
    ("background", "bar"), [("white", W), ("black", K), ("#0a141e", (10, 20, 30)), ("drop", K)]
)
def test_pad_adds_bars_of_the_background(background: str, bar: Any) -> None:
    assert prepared(rows([R, B]), (4, 4), fit="pad", background=background) == [
        [bar] * 4,
        [R, R, B, B],
        [R, R, B, B],
        [bar] * 4,
    ]


def test_pad_of_a_tall_image_and_an_odd_rest() -> None:
    # 1 × 2 into 4 × 4: 2 wide, 4 high, one bar each side; into 5 × 4: the odd column goes right
    assert prepared(rows([R], [G]), (4, 4), fit="pad") == [[K, R, R, K]] * 2 + [[K, G, G, K]] * 2
    assert prepared(rows([R], [G]), (5, 4), fit="pad")[0] == [K, R, R, K, K]


def test_pad_of_an_extreme_image_leaves_one_line() -> None:
    found = prepared(Image.new("RGB", (1000, 1), W), (8, 8), fit="pad", resize="bilinear")
    assert [row[0] for row in found].count(W) == 1


@pytest.mark.parametrize("resize", ["nearest", "bilinear", "lanczos"])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_strip_of_many_rows_is_resized_down_first(fit: str, resize: str, monkeypatch: pytest.MonkeyPatch) -> None:
    across = prepare_image(gradient(9, 400), (20, 20), resize=resize, fit=fit)
    monkeypatch.setattr("mlserverless.prepare.BETWEEN", 100)
    down = prepare_image(gradient(9, 400), (20, 20), resize=resize, fit=fit)
    assert max(abs(a - b) for a, b in zip(across.tobytes(), down.tobytes(), strict=True)) <= 1


BIG = encode(gradient(800, 800), "JPEG", quality=90)


def drafted(size: tuple[int, int], data: bytes = BIG, **options: Any) -> Any:
    """Return the size at which the image was decoded."""
    image = open_image(data)
    prepare_image(image, size, **options)
    return image.size


@pytest.mark.parametrize(("target", "decoded"), [(50, 100), (99, 200), (101, 400), (200, 400), (201, 800)])
def test_fast_decodes_at_a_fraction_of_at_least_twice_the_target(target: int, decoded: int) -> None:
    assert drafted((target, target), resize="bilinear", decode="fast") == (decoded, decoded)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("width", "height"), [(803, 805), (801, 800), (800, 807)])
def test_what_fast_decodes_ends_where_the_picture_does(
    monkeypatch: pytest.MonkeyPatch, fit: str, orientation: int, width: int, height: int
) -> None:
    """A fraction of a size is rounded up: the last pixel is not all of the picture."""
    boxes: list[tuple[float, ...]] = []
    resize = prepare._resize

    def noted(image: Any, size: Any, resample: Any, box: Any, turn: Any) -> Any:
        boxes.append((*box, *image.size))
        return resize(image, size, resample, box, turn)

    monkeypatch.setattr(prepare, "_resize", noted)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(gradient(width, height), "JPEG", exif=exif)
    prepare_image(open_image(data), (100, 100), resize="bilinear", fit=fit, decode="fast")
    ((left, top, right, bottom, *decoded),) = boxes
    upright = (width, height) if orientation == 1 else (height, width)
    assert decoded == [-(-width // 4), -(-height // 4)]
    assert (left + right, top + bottom) == (upright[0] / 4, upright[1] / 4), "the middle is the picture's"
    if fit != "crop":
        assert (left, top) == (0, 0)


@pytest.mark.parametrize("orientation", [1, 3, 5, 6])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_whole_decodes_in_full_and_turns_what_is_small(orientation: int, fit: str) -> None:
    """What fast gives, but for the fraction."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(gradient(333, 210), "JPEG", quality=90, exif=exif)
    assert drafted((50, 50), data, resize="bilinear", fit=fit, decode="whole") == (333, 210)
    whole, exact = (
        prepare_image(open_image(data), (50, 40), resize="bilinear", fit=fit, decode=decode).tobytes()
        for decode in ("whole", "exact")
    )
    assert max(abs(a - b) for a, b in zip(whole, exact, strict=True)) <= 1
    assert orientation != 1 or whole == exact


def test_whole_and_exact_are_the_same_for_nearest() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(gradient(333, 210), "JPEG", exif=exif)
    whole, exact = (
        prepare_image(data, (50, 40), resize="nearest", decode=decode).tobytes() for decode in ("whole", "exact")
    )
    assert whole == exact


@pytest.mark.parametrize("options", [{"resize": "nearest", "decode": "fast"}, {"resize": "bilinear"}])
def test_nearest_and_exact_decode_in_full(options: dict[str, str]) -> None:
    assert drafted((50, 50), **options) == (800, 800)


def test_fast_leaves_enough_of_an_image_that_is_yet_to_be_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(gradient(400, 1600), "JPEG", exif=exif)  # upright: 1600 × 400
    width, height = drafted((200, 50), turned, resize="bilinear", decode="fast")
    assert (height, width) >= (400, 100)


def test_fast_differs_from_exact_by_little() -> None:
    exact, fast = (
        prepare_image(open_image(BIG), (100, 100), resize="bilinear", decode=decode).tobytes()
        for decode in ("exact", "fast")
    )
    differences = [abs(a - b) for a, b in zip(exact, fast, strict=True)]
    assert sum(differences) / len(differences) < 2
    assert exact != fast
