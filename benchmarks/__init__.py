"""What Pillarbox costs, beside its peers, in one run: ``./run bench``."""
