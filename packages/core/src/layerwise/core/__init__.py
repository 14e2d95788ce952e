"""Dispatch, typed tensors, transforms, data, Learner, callbacks and optimizer of layerwise."""
