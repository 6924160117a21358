"""The objectives of trainings, one file each; `sightline.training.objective` says what they offer."""
