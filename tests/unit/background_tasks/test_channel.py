"""Channels: what is sent reaches whoever listens, in order, and is kept while nobody does."""

from threading import Barrier, Thread
from typing import Any

from dms.background_tasks.channel import Channel


def test_what_is_sent_reaches_every_listener() -> None:
    channel, first, second = Channel(), [], []

    def listen(heard: list[Any]) -> Any:
        return lambda topic, payload: heard.append((topic, payload))

    channel.connect(listen(first))
    channel.connect(listen(second))
    channel.send(1)
    channel.send()
    assert [(channel.topic, 1), (channel.topic, None)] == first == second


def test_each_channel_has_a_topic_of_its_own() -> None:
    assert Channel().topic != Channel().topic


def test_what_is_sent_while_nobody_listens_is_kept_up_to_the_limit_and_the_rest_counted() -> None:
    channel, heard = Channel(limit=2), []
    for number in range(5):
        channel.send(number)
    channel.connect(lambda topic, payload: heard.append(payload))
    assert ([3, 4], 3) == (heard, channel.dropped)


def test_a_listener_that_connects_again_hears_nothing_twice() -> None:
    channel, heard = Channel(), []

    def listen(topic: str, payload: Any) -> None:
        heard.append(payload)

    channel.connect(listen)
    channel.connect(listen)
    channel.send(1)
    assert [1] == heard


def test_what_is_sent_after_the_last_listener_has_gone_waits_for_the_next() -> None:
    channel, first, second = Channel(), [], []

    def listen(topic: str, payload: Any) -> None:
        first.append(payload)

    channel.connect(listen)
    channel.disconnect(listen)
    channel.disconnect(listen)
    channel.send(1)
    channel.connect(lambda topic, payload: second.append(payload))
    assert ([], [1]) == (first, second)


def test_a_listener_may_send_on_its_part() -> None:
    channel, heard = Channel(), []

    def listen(topic: str, payload: int) -> None:
        heard.append(payload)
        if payload:
            channel.send(payload - 1)

    channel.send(2)
    channel.connect(listen)
    channel.send(0)
    assert [2, 1, 0, 0] == heard


def test_what_a_thread_sends_arrives_in_its_order_even_while_somebody_connects() -> None:
    for _ in range(50):
        channel, heard, together = Channel(), [], Barrier(2)

        def send(channel: Channel = channel, together: Barrier = together) -> None:
            together.wait(5)
            for number in range(20):
                channel.send(number)

        thread = Thread(target=send)
        thread.start()
        together.wait(5)
        channel.connect(lambda topic, payload, heard=heard: heard.append(payload))
        thread.join(5)
        assert list(range(20)) == heard
