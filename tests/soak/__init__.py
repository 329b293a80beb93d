"""`outhaul watch` for a long time: random kills, a link that comes and goes, and a clock that jumps."""
