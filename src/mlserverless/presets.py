"""Presets: how the models of Keras, torchvision and MediaPipe want their images, by the model's name.

A preset fills the keys of ``[input]`` that model.toml does not set. The tables are those of the libraries' own
code: keras.applications' modules, torchvision.models' weights, MediaPipe's image tasks; what these said is kept in
tests/golden. Imported only for a model that names a preset.
"""

from typing import Any

from mlserverless.errors import ModelUnavailable

DOCS = "docs/reference/presets.md"
# (range, side in pixels) -> the functions of keras.applications, whose preprocess_input that is.
KERAS = {
    ("caffe", 224): "ResNet50 ResNet101 ResNet152 VGG16 VGG19",
    ("imagenet", 224): "DenseNet121 DenseNet169 DenseNet201",
    ("signed", 224): "MobileNet MobileNetV2 NASNetMobile ResNet50V2 ResNet101V2 ResNet152V2",
    ("signed", 299): "InceptionResNetV2 InceptionV3 Xception",
    ("signed", 331): "NASNetLarge",
    ("raw", 224): (
        "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge EfficientNetB0 EfficientNetV2B0 "
        "MobileNetV3Large MobileNetV3Small"
    ),
    ("raw", 240): "EfficientNetB1 EfficientNetV2B1",
    ("raw", 260): "EfficientNetB2 EfficientNetV2B2",
    ("raw", 300): "EfficientNetB3 EfficientNetV2B3",
    ("raw", 380): "EfficientNetB4",
    ("raw", 384): "EfficientNetV2S",
    ("raw", 456): "EfficientNetB5",
    ("raw", 480): "EfficientNetV2L EfficientNetV2M",
    ("raw", 528): "EfficientNetB6",
    ("raw", 600): "EfficientNetB7",
}
# (resized to, side, method) -> torchvision's models, with the weights where these are not IMAGENET1K_V1.
TORCHVISION = {
    (256, 224, "bilinear"): (
        "alexnet densenet121 densenet161 densenet169 densenet201 googlenet mnasnet0_5 mnasnet1_0 mobilenet_v2 "
        "mobilenet_v3_large mobilenet_v3_small regnet_x_16gf regnet_x_1_6gf regnet_x_32gf regnet_x_3_2gf "
        "regnet_x_400mf regnet_x_800mf regnet_x_8gf regnet_y_16gf regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf "
        "regnet_y_400mf regnet_y_800mf regnet_y_8gf resnet101 resnet152 resnet18 resnet34 resnet50 "
        "resnext101_32x8d resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 squeezenet1_0 squeezenet1_1 vgg11 "
        "vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn vit_b_16 vit_b_32 vit_l_32 "
        "wide_resnet101_2 wide_resnet50_2"
    ),
    (232, 224, "bilinear"): (
        "convnext_base convnext_large mnasnet0_75 mnasnet1_3 mobilenet_v2-v2 mobilenet_v3_large-v2 "
        "regnet_x_16gf-v2 regnet_x_1_6gf-v2 regnet_x_32gf-v2 regnet_x_3_2gf-v2 regnet_x_400mf-v2 "
        "regnet_x_800mf-v2 regnet_x_8gf-v2 regnet_y_16gf-v2 regnet_y_1_6gf-v2 regnet_y_32gf-v2 "
        "regnet_y_3_2gf-v2 regnet_y_400mf-v2 regnet_y_800mf-v2 regnet_y_8gf-v2 resnet101-v2 resnet152-v2 "
        "resnet50-v2 resnext101_32x8d-v2 resnext101_64x4d resnext50_32x4d-v2 shufflenet_v2_x1_5 "
        "shufflenet_v2_x2_0 wide_resnet101_2-v2 wide_resnet50_2-v2"
    ),
    (230, 224, "bilinear"): "convnext_small",
    (236, 224, "bilinear"): "convnext_tiny",
    (242, 224, "bilinear"): "vit_l_16",
    (255, 240, "bilinear"): "efficientnet_b1-v2",
    (342, 299, "bilinear"): "inception_v3",
    (384, 384, "bilinear"): "efficientnet_v2_s",
    (480, 480, "bilinear"): "efficientnet_v2_m",
    (224, 224, "bicubic"): (
        "maxvit_t regnet_y_128gf-swag-linear-v1 regnet_y_16gf-swag-linear-v1 regnet_y_32gf-swag-linear-v1 "
        "vit_b_16-swag-linear-v1 vit_h_14-swag-linear-v1 vit_l_16-swag-linear-v1"
    ),
    (232, 224, "bicubic"): "swin_t",
    (238, 224, "bicubic"): "swin_b",
    (246, 224, "bicubic"): "swin_s",
    (256, 224, "bicubic"): "efficientnet_b0",
    (256, 240, "bicubic"): "efficientnet_b1",
    (260, 256, "bicubic"): "swin_v2_s swin_v2_t",
    (272, 256, "bicubic"): "swin_v2_b",
    (288, 288, "bicubic"): "efficientnet_b2",
    (320, 300, "bicubic"): "efficientnet_b3",
    (384, 380, "bicubic"): "efficientnet_b4",
    (384, 384, "bicubic"): (
        "regnet_y_128gf-swag-e2e-v1 regnet_y_16gf-swag-e2e-v1 regnet_y_32gf-swag-e2e-v1 vit_b_16-swag-e2e-v1"
    ),
    (456, 456, "bicubic"): "efficientnet_b5",
    (480, 480, "bicubic"): "efficientnet_v2_l",
    (512, 512, "bicubic"): "vit_l_16-swag-e2e-v1",
    (518, 518, "bicubic"): "vit_h_14-swag-e2e-v1",
    (528, 528, "bicubic"): "efficientnet_b6",
    (600, 600, "bicubic"): "efficientnet_b7",
}
RANGES = {"efficientnet_v2_l": "signed"}  # the one whose mean and std are not ImageNet's
MEDIAPIPE = ("image_classifier", "image_embedder", "object_detector")
# Where model.toml sets the first, the preset's others go with its own and are not taken either.
TOGETHER = {
    "fit": ("crop", "side"),
    "side": ("crop",),
    "crop": ("side",),
    "resizer": ("antialias",),
    "range": ("channels",),
}


def every() -> dict[str, dict[str, Any]]:
    """Return the keys of ``[input]`` that each preset fills, by its name; sizes are (height, width)."""
    found: dict[str, dict[str, Any]] = {}
    for (scale, side), models in KERAS.items():
        channels = "bgr" if scale == "caffe" else "rgb"
        # Resized as keras.utils.load_img does where nothing is said.
        resizing: dict[str, Any] = {"resizer": "pillow", "resize": "nearest", "fit": "stretch"}
        for name in models.split():
            keys = {"size": (side, side), "channels": channels, **resizing, "range": scale}
            found[f"keras/{name.lower()}"] = keys
    for (resized, side, method), models in TORCHVISION.items():
        resizing = {"resizer": "pillow", "resize": method, "fit": "crop", "side": resized}
        for name in models.split():
            keys = {"size": (side, side), "channels": "rgb", **resizing, "range": RANGES.get(name, "imagenet")}
            found[f"torchvision/{name}"] = keys
    for name in MEDIAPIPE:  # size and range are the model's own, in its metadata
        found[f"mediapipe/{name}"] = {"resizer": "mediapipe", "resize": "bilinear", "fit": "stretch"}
    return found


def filled(given: dict[str, Any], file: str) -> dict[str, Any]:
    """Return the keys ``given`` in ``[input]`` with what their preset says of the others.

    A size of the preset's own comes as the ``usual`` one. ``file`` is the model's, for errors. Raises
    ModelUnavailable for a preset that there is not, with close ones.
    """
    known, name = every(), str(given["preset"])
    keys = known.get(name.lower())
    if keys is None:
        from difflib import get_close_matches

        close = get_close_matches(name.lower(), known, 3, 0.5)
        told = f"close are {', '.join(close)}" if close else "they begin with keras/, torchvision/ or mediapipe/"
        raise ModelUnavailable(f"{file}: input.preset is {name!r}, which is not known; {told}. See {DOCS}.")
    without = {other for key, others in TOGETHER.items() if key in given for other in others}
    found = {key: value for key, value in keys.items() if key not in without} | given
    return found | {"usual": True} if "size" in keys and "size" not in given else found
