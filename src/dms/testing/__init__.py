"""What tests need, ours and users': a clock that is turned by hand."""

from dms.testing.clock import FakeClock

__all__ = ["FakeClock"]
