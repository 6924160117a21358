"""What files are photos, and what their numbers mean as colours: all that `preprocess` knows of file formats."""
