"""python keras_program.py FOLDER: train on the pictures of FOLDER/train, by class."""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
from keras import layers


def read(folder):
    files = sorted(folder.glob("*/*.png"))
    pictures = [keras.utils.load_img(file, color_mode="grayscale") for file in files]
    labels = np.array([file.parent.name == "7" for file in files], dtype="int64")
    return np.stack([keras.utils.img_to_array(picture) for picture in pictures]), labels


keras.utils.set_random_seed(42)
folder = Path(sys.argv[1])
x, y = read(folder / "train")
x_valid, y_valid = read(folder / "valid")

model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Rescaling(1 / 255),
    layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
    layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
    layers.Flatten(),
    layers.Dense(2),
])
model.compile(
    optimizer=keras.optimizers.AdamW(3e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(
    x, y, batch_size=64, epochs=3, validation_data=(x_valid, y_valid), verbose=2,
    callbacks=[keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)],
)
model.save("digits.keras")
print(model.predict(x_valid[:1], verbose=0))
print(f"accuracy: {model.evaluate(x_valid, y_valid, verbose=0)[1]:.4f}")
