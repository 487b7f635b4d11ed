"""What was seen is not seen again, a flood is one hint a second, and memory is bounded."""

from __future__ import annotations

from clusterops.model.request import Called, Delivery
from clusterops.web import Deliveries
from tests.fake_clock import FakeClock


def push(branch: str = "main", id: str = "") -> Delivery:
    return Delivery(kind=Called.PUSH, branch=branch, id=id)


async def test_a_thousand_at_once_are_one_hint_now_and_one_a_second_later() -> None:
    clock, heard = FakeClock(), list[Delivery]()
    deliveries = Deliveries(pass_on=heard.append, clock=clock)
    for number in range(1000):
        assert deliveries.take(push(id=str(number)))
    assert heard == [push()]
    await clock.advance(1)
    assert heard == [push(), push()]
    await clock.advance(60)
    assert heard == [push(), push()]


async def test_after_a_quiet_second_the_next_is_passed_on_at_once() -> None:
    clock, heard = FakeClock(), list[Delivery]()
    deliveries = Deliveries(pass_on=heard.append, clock=clock)
    for number in range(3):
        deliveries.take(push(id=str(number)))
        assert len(heard) == number + 1
        await clock.advance(1.5)


async def test_different_hints_do_not_wait_for_each_other() -> None:
    heard = list[Delivery]()
    deliveries = Deliveries(pass_on=heard.append, clock=FakeClock())
    request = Delivery(kind=Called.REQUEST, number=4)
    for each in (push(), request, push("other"), request):
        deliveries.take(each)
    assert heard == [push(), request, push("other")]
    await deliveries.close()


async def test_of_very_many_different_hints_the_rest_is_one() -> None:
    clock, heard = FakeClock(), list[Delivery]()
    deliveries = Deliveries(pass_on=heard.append, clock=clock)
    for number in range(5000):
        deliveries.take(Delivery(kind=Called.REQUEST, number=number + 1))
    assert len(heard) == 100
    await clock.advance(1)
    assert heard[100:] == [Delivery(kind=Called.REQUEST)]


async def test_an_id_is_taken_once_and_the_oldest_are_forgotten() -> None:
    deliveries = Deliveries(pass_on=lambda _: None, clock=FakeClock())
    assert [deliveries.take(push(id="a")) for _ in range(3)] == [True, False, False]
    assert [deliveries.take(push(id="")) for _ in range(3)] == [True, True, True]
    for number in range(2000):
        deliveries.take(push(id=str(number)))
    assert deliveries.take(push(id="a"))
    await deliveries.close()


async def test_what_is_of_no_concern_is_not_passed_on() -> None:
    heard = list[Delivery]()
    deliveries = Deliveries(pass_on=heard.append, clock=FakeClock())
    assert deliveries.take(Delivery(kind=Called.OTHER, id="a"))
    assert heard == []
