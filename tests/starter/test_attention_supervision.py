"""Attending: which parts of an object a cell should look at, and attention that tells where."""

import pytest
import torch

from smd_cli.starter.attention_supervision import attending, attention_loss, parts_wanted
from smd_cli.starter.text import MAX_TOKENS, PARTS, WIDTH
from smd_cli.starter.train import Student


def test_an_object_as_large_as_its_look_has_a_part_for_every_cell() -> None:
    wanted, asked = parts_wanted(torch.tensor([[2, 4, PARTS]]), side=16, across=2)
    assert wanted.shape == (1, 4, 64, PARTS * PARTS)
    assert asked.shape == (1, 4, 64)
    for y in range(16):
        for x in range(16):
            head, query = 2 * (y % 2) + x % 2, 8 * (y // 2) + x // 2
            within = 2 <= y < 2 + PARTS and 4 <= x < 4 + PARTS
            assert asked[0, head, query] == within
            if within:
                best = int(wanted[0, head, query].argmax())
                assert divmod(best, PARTS) == (y - 2, x - 4)
                assert wanted[0, head, query, best] > 1 - 1e-5


def test_between_parts_weights_are_bilinear() -> None:
    wanted, asked = parts_wanted(torch.tensor([[0, 0, 2 * PARTS]]), side=2 * PARTS, across=2)
    assert asked.all()
    assert torch.allclose(wanted.sum(3), torch.ones(1))
    second = wanted[0, 3, 0].view(PARTS, PARTS)  # cell (1, 1): a quarter past the first part
    assert torch.allclose(second[:2, :2], torch.tensor([[9.0, 3.0], [3.0, 1.0]]) / 16)


def test_a_query_for_each_cell_looks_for_that_cell() -> None:
    boxes = torch.tensor([[2, 4, PARTS]])
    wanted, asked = parts_wanted(boxes, side=16, across=1)
    coarse, coarsely = parts_wanted(boxes, side=16, across=2)
    assert torch.allclose(wanted[0, 0, 16 * 3 + 5], coarse[0, 3, 8 * 1 + 2])
    assert asked.sum() == coarsely.sum() == PARTS * PARTS


def test_nothing_is_asked_where_there_is_no_object() -> None:
    _, asked = parts_wanted(torch.tensor([[0, 0, 0]]), side=16, across=1)
    assert not asked.any()


def test_the_denoiser_is_the_same_and_tells_where_it_looked() -> None:
    torch.manual_seed(0)
    student = Student()
    inputs = torch.randn(2, 16, 16, 16), torch.tensor([700, 300]), torch.randn(2, MAX_TOKENS, WIDTH)
    with torch.no_grad():
        usual = student.unet(*inputs).sample
    before = student.unet.attn_processors
    with attending(student.unet) as kept:
        found = student.unet(*inputs).sample
    assert student.unet.attn_processors == before
    assert torch.allclose(found, usual, atol=1e-5)
    boxes = torch.tensor([[4, 4, 8], [0, 0, 0]])
    loss = attention_loss(kept, boxes, side=16)
    losses = []
    assert [attention.kept.shape[1] for attention in kept if attention.kept is not None] == [
        *(64, 64),
        *(256, 256),
    ]
    for attention, across in zip(kept, (2, 2, 1, 1), strict=True):
        assert attention.kept is not None
        wanted, asked = parts_wanted(boxes, 16, across)
        shares = attention.kept.exp().view(2, 4, -1, MAX_TOKENS)
        assert torch.allclose(shares.sum(3), torch.ones(1), atol=1e-5)
        by_hand = []
        for head in range(4):
            cell = head if across == 2 else 0
            for query in torch.nonzero(asked[0, cell]).flatten().tolist():
                parts = shares[0, head, query, -PARTS * PARTS :]
                by_hand.append(-(wanted[0, cell, query] * parts.log()).sum())
        losses.append(torch.stack(by_hand).mean())
    assert torch.isclose(loss, torch.stack(losses).mean(), rtol=1e-4)
    torch.autograd.backward(loss)
    half, whole = (up.attentions[0].transformer_blocks[0] for up in student.unet.up_blocks[1:])
    assert half.attn2.to_q.weight.grad.any()
    assert whole.attn1.to_q.weight.grad.any()


def test_what_was_not_called_cannot_be_judged() -> None:
    with attending(Student().unet) as kept, pytest.raises(ValueError, match="not been called"):
        attention_loss(kept, torch.zeros(1, 3), 16)
