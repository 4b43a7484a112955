"""Train a small convolutional network on three textures; keep it, and what the notebook says of 96 patches."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from mlserverless.certification import save_reference

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])  # those of torchvision's models
LABELS = sorted(folder.name for folder in Path("build/textures/train").iterdir())


def load(half):
    """Return the files of a half of the data set, their pixels (N, 3, 32, 32) and their classes."""
    files = sorted(Path("build/textures", half).glob("*/*.png"))
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    x = (pixels / np.float32(255) - MEAN) / STD
    classes = [LABELS.index(file.parent.name) for file in files]
    return files, torch.from_numpy(x.transpose(0, 3, 1, 2)), torch.tensor(classes)


torch.manual_seed(0)
_, x_train, y_train = load("train")
files, x_test, y_test = load("test")
model = nn.Sequential(
    *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    nn.Linear(64, len(LABELS)),
)
optimizer = torch.optim.Adam(model.parameters(), 0.003)
for _ in range(20):  # epochs
    for batch in torch.randperm(len(x_train)).split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    logits = model(x_test)
print(f"{(logits.argmax(1) == y_test).float().mean():.1%} of {len(files)} held-out patches right")

torch.export.save(torch.export.export(model, (x_test[:1],)), "build/textures.pt2")
torch.onnx.export(model, (x_test[:1],), "build/textures.onnx", external_data=False, verbose=False)
Path("build/labels.txt").write_text("\n".join(LABELS) + "\n")
scores = logits.softmax(1)
save_reference("build/reference.npz", images=files, input=x_test, output=logits, scores=scores, labels=LABELS)
