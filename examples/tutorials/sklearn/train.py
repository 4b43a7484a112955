"""Learn scikit-learn's digits; keep the model, 450 held-out images, and what the notebook says of them."""

from pathlib import Path

import joblib
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlserverless.certification import save_reference

# What will be served is an image file, so it is one that is learned from: 0…16 becomes 0…255 …
digits = load_digits()
pixels = np.rint(digits.images * 255 / 16).astype(np.uint8)
x = pixels.reshape(-1, 64) / np.float32(15.9375)  # … and 0…16 again; 15.9375 is 255 / 16
x_train, x_test, y_train, y_test, _, shown = train_test_split(x, digits.target, pixels, random_state=0)

model = make_pipeline(StandardScaler(), MLPClassifier(random_state=0)).fit(x_train, y_train)
scores = model.predict_proba(x_test)
print(f"{len(x_train)} digits learned, {np.mean(scores.argmax(1) == y_test):.1%} of {len(x_test)} others right")

folder = Path("build/digits")
folder.mkdir(parents=True, exist_ok=True)
files = [folder / f"{i:03}-is-a-{digit}.png" for i, digit in enumerate(y_test)]
for file, image in zip(files, shown, strict=True):
    Image.fromarray(image).save(file)
labels = [str(digit) for digit in model.classes_]
joblib.dump(model, "build/digits.joblib")
Path("build/labels.txt").write_text("\n".join(labels) + "\n")
save_reference("build/reference.npz", images=files, input=x_test, output=scores, labels=labels)
