import pytest
from websockets.frames import Frame, Opcode

from dms.websocket.frame import text_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_frame_is_the_one_that_the_library_makes(size: int) -> None:
    payload = b"x" * size
    assert Frame(Opcode.TEXT, payload).serialize(mask=False) == text_frame(payload)
