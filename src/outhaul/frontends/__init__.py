"""Front ends: ordinary clients of `outhaul.app`."""
