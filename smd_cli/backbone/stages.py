"""Large text encoders and the network in turn: prompts are read before the network comes.

Both together would take the memory of both, and an encoder is done once it has read the prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from smd_cli.backbone.memory import Places

Readers = tuple[Sequence[Any], Sequence[Any]]
"""Text encoders and their tokenizers, which go together; None for one that is left out."""


class Stages:
    """A model's readers and its network, each loaded when it is first asked for.

    `config` is the network's, known before it is here. `places`: where the readers work and leave
    from; None keeps them beside the network.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        load_readers: Callable[[], Readers],
        load_network: Callable[[], Any],
        places: Places | None,
    ) -> None:
        self.config = config
        self._load_readers, self._load_network, self._places = load_readers, load_network, places
        self._readers: Readers | None = None
        self._network: Any = None

    def readers(self) -> Readers:
        """The text encoders with their tokenizers: to be held no longer than a prompt is read."""
        if self._readers is None:
            with torch.inference_mode(mode=False):  # weights are ordinary tensors, whoever asks
                self._readers = self._load_readers()
        return self._readers

    def network(self) -> Any:
        """The network; readers leave before it comes, and before it works again."""
        if self._readers is not None and self._places is not None:
            self._places.forget(*self._readers[0])
            self._readers = None
            self._places.free()
        if self._network is None:
            with torch.inference_mode(mode=False):
                self._network = self._load_network()
        return self._network
