from layerwise.vision.all import *


class WorstLoss(Callback):
    def before_fit(self):
        self.value = 0.0

    def after_loss(self):
        if self.training and self.loss > self.value:
            self.value = self.loss.item()


def conv(n_in, n_out, act=True):
    layers = [nn.Conv2d(n_in, n_out, stride=2, kernel_size=3, padding=1)]
    if act:
        layers += [nn.BatchNorm2d(n_out), nn.ReLU()]
    return nn.Sequential(*layers)


set_seed(42)
path = untar_data(URLs.MNIST_SAMPLE)
digits = DataBlock(
    blocks=(ImageBlock(cls=PILImageBW), CategoryBlock),
    get_items=get_image_files,
    splitter=GrandparentSplitter(train_name="train", valid_name="valid"),
    get_y=parent_label,
    batch_tfms=aug_transforms(do_flip=False, max_rotate=5),
)
dls = digits.dataloaders(path, bs=64)
net = nn.Sequential(
    conv(1, 8), conv(8, 16), conv(16, 32), conv(32, 64), conv(64, 2, act=False), Flatten()
)
learn = Learner(
    dls, net, loss_func=CrossEntropyLossFlat(), opt_func=partial(Adam, sqr_mom=0.98),
    metrics=accuracy, cbs=WorstLoss(),
)
learn.fit_one_cycle(2, 0.01)
interp = ClassificationInterpretation.from_learner(learn)
print(interp.most_confused(), f"largest loss: {learn.worst_loss.value:.2f}")
print(f"accuracy: {learn.validate()[1]:.4f}")
