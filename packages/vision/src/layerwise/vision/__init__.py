"""Pictures for layerwise: types, augmentation, data blocks, models and learner."""
