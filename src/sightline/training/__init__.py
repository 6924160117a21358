"""From a recipe and a dataset to a trained captioner."""

from sightline.errors import require_training_tier

require_training_tier(__name__)
