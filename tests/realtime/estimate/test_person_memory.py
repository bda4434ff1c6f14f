from __future__ import annotations

from realtime.estimate.memory import PersonMemory


def test_a_person_is_remembered_over_short_gaps_only() -> None:
    memory: PersonMemory[list[int]] = PersonMemory(list, max_gap_s=0.3)
    memory.recall(5, 0.0).append(1)
    assert memory.recall(5, 0.3) == [1]
    assert memory.recall(5, 0.61) == []


def test_time_that_stands_still_or_goes_back_starts_afresh() -> None:
    memory: PersonMemory[list[int]] = PersonMemory(list)
    memory.recall(5, 1.0).append(1)
    assert memory.recall(5, 1.0) == []
    memory.recall(5, 1.1).append(2)
    assert memory.recall(5, 0.9) == []


def test_people_who_left_take_no_room() -> None:
    memory: PersonMemory[list[int]] = PersonMemory(list)
    for person_id in range(100):
        memory.recall(person_id, person_id * 1.0)
    assert len(memory) == 1


def test_two_people_in_one_frame() -> None:
    memory: PersonMemory[list[int]] = PersonMemory(list)
    for t in (0.0, 0.1):
        memory.recall(1, t).append(1)
        memory.recall(2, t).append(2)
    assert (memory.recall(1, 0.2), memory.recall(2, 0.2)) == ([1, 1], [2, 2])
