"""What all families that live in transformers share: loading, generating, counting tokens.

A family adds its classes and how it words a request. Kept to what several major versions of
transformers have in common, since a model may run in an environment of its own.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import psutil

from kairos_lib.errors import KairosError, closest
from kairos_lib.measure.memory import is_out_of_memory
from kairos_lib.parameters.model import Model
from kairos_lib.vlm import chat_template, dummy, ends, fitting, generation, gpu_memory
from kairos_lib.vlm.adapter import (
    LARGEST_BATCH,
    Adapter,
    Generated,
    Prepared,
    Request,
    SceneError,
)
from kairos_lib.vlm.architecture import describe
from kairos_lib.vlm.controls import Controls
from kairos_lib.vlm.loading import (
    COMPUTING,
    SHARE,
    cached_values,
    check_loaded,
    check_precision,
    device_map,
    network_class,
    quantisation_config,
    read_config,
    reason_of,
    settle,
    spare_unpackable,
    take_quantised,
    takes_gpu,
)
from kairos_lib.vlm.records import Architecture
from kairos_lib.vlm.refusals import REFUSALS, telling
from kairos_lib.weights.checkpoint_files import check_files, own_quantisation
from kairos_lib.weights.checkpoints import check_whole


class TransformersAdapter(Adapter):
    """A model with a processor and `generate`."""

    # Required of a family

    model_class: ClassVar[str]
    """Name in the `transformers` package."""

    # Optional

    processor_class: ClassVar[str] = "AutoProcessor"
    processor_settings: ClassVar[frozenset[str]] = frozenset()
    """What `processor` of a model's parameters may say; passed to the processor by name."""
    connectors: ClassVar[frozenset[str]] = frozenset(
        {"multi_modal_projector", "connector", "merger"}
    )
    """What modules or parameters are called that turn pictures' features into tokens."""

    def load_processor(self, path: str) -> Any:
        """What turns frames and words into tensors; has a `tokenizer`."""
        import transformers

        processor = getattr(transformers, self.processor_class)
        return processor.from_pretrained(path, trust_remote_code=False, **self.settings.processor)

    def load_model(self, path: str, **options: Any) -> Any:
        """The network, with the options of `from_pretrained`."""
        import transformers

        return self.with_weights(getattr(transformers, self.model_class), path, **options)

    def conversation(self, request: Request) -> list[dict[str, Any]]:
        """One user's turn: the images, then the words."""
        images = [{"type": "image"} for _ in request.images]
        return [{"role": "user", "content": [*images, {"type": "text", "text": request.prompt}]}]

    def tensors(self, requests: list[Request]) -> Any:
        """A batch as the model's `generate` takes it, padded on the left."""
        from PIL import Image

        # A list for each request: one list of all is not taken by all, and this is.
        return self.processed(
            requests, images=[[Image.fromarray(i) for i in r.images] for r in requests]
        )

    def visual_token_ids(self) -> list[int]:
        """Ids that stand for a picture's features in a prompt."""
        # By the configuration's name for it, which changed over time, or by the processor's.
        named = ((self.model.config, "image_token_id"), (self.model.config, "image_token_index"))
        for one, name in (*named, (self.processor, "image_token_id")):
            if isinstance(number := getattr(one, name, None), int):
                return [number]
        raise KairosError(f"{self.settings.name} does not say which token stands for a picture")

    def ends(self) -> tuple[int, ...]:
        """Tokens that end a caption beside those that the checkpoint names."""
        return ()

    # Given to a family

    def processed(self, requests: list[Request], **pictures: Any) -> Any:
        """A batch in the words of the chat template, with pictures as the processor takes them."""
        texts = self.worded(requests)
        if chat_template.begun(self.processor.tokenizer, texts):
            # Not all processors of older versions know this word.
            pictures["add_special_tokens"] = False
        return self.processor(text=texts, padding=True, return_tensors="pt", **pictures)

    def with_weights(self, model_class: Any, path: str, config: Any = None, **options: Any) -> Any:
        """A network with its weights; random ones where they are dummies.

        Args:
            model_class: A class of transformers, or one of its `Auto` ones.
            path: A checkpoint's folder.
            config: Where the class does not find its own in that folder.
            options: Of `from_pretrained`.
        """
        import torch
        import transformers

        config = config or read_config(model_class, path)
        if self._empty:
            settle(config, attention=None)
            with torch.device("meta"):
                return network_class(model_class, config)(config)
        settle(config, options["attn_implementation"])
        take_quantised(config, options["dtype"], options["device_map"])
        if self.dummy:
            model_class = network_class(model_class, config)
            state = dummy.random_weights(model_class, config, options["dtype"])
            return model_class.from_pretrained(
                None, config=config, state_dict=state, trust_remote_code=False, **options
            )
        model, found = model_class.from_pretrained(
            path,
            config=config,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            # Told by us, in one line, rather than in a report.
            ignore_mismatched_sizes=True,
            # In the place of the checkpoint's, of which little is wanted and all is trusted.
            generation_config=transformers.GenerationConfig(),
            **options,
        )
        check_whole(found)
        return model

    def __init__(self, settings: Model, weights: Path) -> None:
        super().__init__(settings, weights)
        self.dummy = settings.weights.source == "dummy"
        self._empty = False
        self._left_out: tuple[str, ...] = ()
        self.context_tokens: int | None = None
        """The most that the model reads and writes of one request; none where it is not known."""
        self.model: Any = None
        self.processor: Any = None
        unknown = sorted(set(settings.processor) - self.processor_settings)
        if unknown:
            known = sorted(self.processor_settings)
            raise KairosError(
                f"{settings.name}: unknown key 'processor.{unknown[0]}' of the family "
                f"{settings.family}: {closest(unknown[0], known, list_known=True)}"
            )

    def load_empty(self) -> None:
        """Build the network with no memory behind its weights: it can prepare, not generate."""
        self._empty = True
        self.load()

    def load(self) -> None:
        """Load processor and weights, quantised on the way where asked."""
        import torch

        self._gpu = not self._empty and takes_gpu(self.settings.device)
        self._dtype = getattr(torch, self.settings.dtype)
        whole = dummy.checkpoint(self.weights) if self.dummy else nullcontext(self.weights)
        with whole as folder:
            self._load(folder)

    def _load(self, folder: Path) -> None:
        from safetensors import SafetensorError

        path = str(folder)
        try:
            check_files(folder)
            own = own_quantisation(folder)
            precision = check_precision(self.settings.quantisation, own)
            making = precision if own == "none" else "none"
            self.processor = self.load_processor(path)
            chat_template.fill_in(self.settings.name, self.processor)
            chat_template.check(self.settings.name, self.worded)
            self._controls = Controls(self.processor)
            model = self.load_model(
                path,
                dtype=self._dtype,
                attn_implementation=self.settings.attention,
                quantization_config=quantisation_config(making, self._dtype),
                device_map=device_map(self.settings.device if self._gpu else "cpu"),
            )
            if not self._empty:
                check_loaded(precision, model.config)
            self._end(model, folder)
            tokenizer = self.processor.tokenizer
            self.context_tokens = fitting.context_tokens(model.config, tokenizer)
        except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
            if is_out_of_memory(error):
                raise
            raise KairosError(
                f"cannot load {self.settings.name} from {path}: {reason_of(error)}"
            ) from error
        if precision in ("nf4", "fp4") and not (self._gpu or self._empty):
            spare_unpackable(model)
        self.model = model.eval()
        self._gpus = [one for one in self.placement() if one.startswith("cuda")]

    def _end(self, model: Any, folder: Path) -> None:
        """Have it end where its checkpoint says; nothing else of what that says is heeded."""
        end = self.processor.tokenizer.eos_token_id
        settings, self._left_out = ends.settled(folder, model.config, end, self.ends())
        for part in model.modules():
            # A language model within may be what writes.
            if getattr(part, "generation_config", None) is not None:
                part.generation_config = settings

    def worded(self, requests: list[Request]) -> list[str]:
        """Each request in the words of the model's chat template."""
        return [
            self.processor.apply_chat_template(
                self.conversation(request), add_generation_prompt=True
            )
            for request in requests
        ]

    def prepare(self, requests: list[Request]) -> Prepared:
        """Turn frames and words into tensors on the device, with as much context as has room."""
        told = list(requests)
        prepared = self.counted(told)
        while any(over := [self._over(tokens) for tokens in prepared.prompt_tokens]):
            told = [
                self._shortened(one, tokens, more) if more else one
                for one, tokens, more in zip(told, prepared.prompt_tokens, over, strict=True)
            ]
            prepared = self.counted(told)
        left_out = (len(a.prompt) - len(b.prompt) for a, b in zip(requests, told, strict=True))
        with telling():
            inputs = prepared.inputs.to(device=self.model.device, dtype=self._dtype)
        return replace(prepared, inputs=inputs, left_out_chars=tuple(left_out))

    def counted(self, requests: list[Request]) -> Prepared:
        """Tensors that are not on the device yet, whether or not the context has room for them."""
        import torch

        harmless = [self._harmless(one) for one in requests]
        with telling(*REFUSALS):
            inputs = self.tensors(harmless)
        visual = torch.isin(inputs["input_ids"], torch.tensor(self.visual_token_ids()))
        # Counted before they are moved: `to` moves them in place, and a device would be waited for.
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        return Prepared(
            inputs,
            tuple(prompt_tokens),
            tuple(visual.sum(dim=1).tolist()),
            numbers=tuple(request.number for request in requests),
        )

    def _harmless(self, request: Request) -> Request:
        return replace(request, prompt=self._controls.broken(request.prompt))

    def _over(self, prompt_tokens: int) -> int:
        """Tokens that a prompt and its caption take beyond the model's context."""
        if self.context_tokens is None:
            return 0
        needed = prompt_tokens + self.settings.generation.max_new_tokens
        return max(0, needed - self.context_tokens)

    def _shortened(self, request: Request, tokens: int, over: int) -> Request:
        less = fitting.shortened(request, over, self._text_tokens)
        if less is None:
            raise SceneError(
                f"pictures and question take {tokens:,} tokens and a caption up to "
                f"{self.settings.generation.max_new_tokens:,}, more than the "
                f"{self.context_tokens:,} of the model's context: ask for fewer or smaller frames "
                "or shorter captions"
            )
        return less

    def _text_tokens(self, text: str) -> int:
        harmless = self._controls.broken(text)
        return len(self.processor.tokenizer(harmless, add_special_tokens=False)["input_ids"])

    def generate(self, prepared: Prepared, max_new_tokens: int | None = None) -> Generated:
        """Run `generate` and tell prefill from decode by when the first scores are there."""
        limit = max_new_tokens or self.settings.generation.max_new_tokens
        # Noise has no end of its own: each caption takes as many steps as it may.
        least = limit if self.dummy else self.settings.generation.min_new_tokens
        return self._generate(prepared, limit, least)

    def _generate(self, prepared: Prepared, limit: int, least: int) -> Generated:
        beams = self.settings.generation.num_beams
        lengths = generation.Lengths(least, limit)
        tokenizer = self.processor.tokenizer
        return generation.generate(
            self.model, tokenizer, prepared, lengths, beams, self.synchronise, self.choosing
        )

    def tokens_of(self, tokens: Sequence[int], characters: tuple[int, int]) -> range:
        """By how much text the first so many tokens make; a few of them for each end."""
        decode = self.processor.tokenizer.decode

        def length(count: int) -> int:
            return len(decode(tokens[:count], skip_special_tokens=True))

        whole = decode(tokens, skip_special_tokens=True)
        before = len(whole) - len(whole.lstrip())  # A text is kept without the space around it.
        start, end = (before + place for place in characters)
        first = bisect_right(range(len(tokens) + 1), start, key=length) - 1
        return range(first, bisect_left(range(len(tokens) + 1), end, key=length))

    def synchronise(self) -> None:
        """Wait for each GPU that it lies on."""
        if self._gpu:
            gpu_memory.wait(self._gpus)

    def release_memory(self) -> None:
        """What torch's allocator keeps."""
        if self._gpu:
            import torch

            torch.cuda.empty_cache()

    def reset_memory_peaks(self) -> None:
        """Forget the allocator's peaks so far."""
        if self._gpu:
            gpu_memory.reset_peaks()

    def memory_peaks(self) -> gpu_memory.Peaks | None:
        """Of torch's allocator; none without a GPU."""
        return gpu_memory.peaks() if self._gpu else None

    def room(self, prepared: Prepared) -> int:
        """Goes by what one caption takes: measured on a GPU, reckoned from its cache elsewhere."""
        if self._gpu:
            return max(1, min([LARGEST_BATCH, *self._measured(prepared)]))
        tokens = prepared.prompt_tokens[0] + self.settings.generation.max_new_tokens
        beams = self.settings.generation.num_beams
        each = tokens * beams * cached_values(self.model.config) * self._dtype.itemsize * COMPUTING
        free = psutil.virtual_memory().available
        return max(1, min(LARGEST_BATCH, int(free * SHARE / each)))

    def _measured(self, prepared: Prepared) -> list[int]:
        """How many captions of full length have room on each GPU beside the weights."""
        limit = self.settings.generation.max_new_tokens
        return gpu_memory.rooms(lambda: self._generate(prepared, limit, limit), SHARE)

    def placement(self) -> tuple[str, ...]:
        """As accelerate spread them."""
        spread = getattr(self.model, "hf_device_map", None) or {"": self.model.device}
        names = (f"cuda:{to}" if isinstance(to, int) else str(to) for to in spread.values())
        return tuple(sorted(set(names)))

    def parameters_millions(self) -> float:
        """As transformers counts them, packed 4-bit weights counted in full."""
        return float(self.model.num_parameters()) / 1e6

    def left_out(self) -> tuple[str, ...]:
        """What the checkpoint said of generation that is not about its special tokens."""
        return self._left_out

    def architecture(self) -> Architecture:
        """As its configuration and its weights have it."""
        return describe(self.model, self.connectors)
