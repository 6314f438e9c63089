"""Data sets: known ones, fetched ones, folders of pictures, and how they are split."""
