"""Songs of birds for layerwise: a type, transforms, a block, a model, a learner, a command."""

import layerwise_birds.show
