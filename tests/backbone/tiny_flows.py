"""Tiny random pipelines of the flow-matching families: diffusers' and transformers' own classes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from conftest import TINY
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, Qwen3Model

from smd_cli.backbone.quiet import quiet

from .tiny_models import VOCABULARY

TALK = "a red fox and an owl in the meadow under a blue sky " * 4
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def bytes_tokenizer(folder: Path, length: int = 512) -> int:
    """Save a byte-level BPE with Qwen's marks and a chat template; how many words it knows."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=marks, initial_alphabet=alphabet)
    made.train_from_iterator([TALK], trainer)
    held = PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=length,
    )
    held.chat_template = CHAT
    held.save_pretrained(folder)
    return int(made.get_vocab_size())


def qwen_config(words: int, layers: int = 2) -> Qwen3Config:
    return Qwen3Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=words,
        max_position_embeddings=512,
    )


def kl(channels: int = 16, **more: Any) -> AutoencoderKL:
    return AutoencoderKL(
        latent_channels=channels,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=8,
        layers_per_block=1,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        **more,
    ).eval()


def clip(words: int, width: int, *, pooled: bool) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=4,
        projection_dim=width,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
    )
    return (CLIPTextModelWithProjection if pooled else CLIPTextModel)(config).eval()


def t5(words: int, width: int) -> Any:
    from transformers import T5Config, T5EncoderModel

    config = T5Config(vocab_size=words, d_model=width, d_kv=8, d_ff=32, num_layers=2, num_heads=4)
    return T5EncoderModel(config).eval()


def saved(kind: str, folder: Path, parts: dict[str, Any], **settings: Any) -> Path:
    """A pipeline of a diffusers class, put together and saved."""
    import diffusers

    getattr(diffusers, kind)(**parts, **settings).save_pretrained(folder)
    return folder


def made(make: Any) -> Any:
    """The maker of a tiny model with weights of its own seed; the global generator is kept."""

    def build(folder: Path) -> Path:
        with torch.random.fork_rng(), quiet():
            torch.manual_seed(5)
            return make(folder)  # type: ignore[no-any-return]

    return build


def z_image(folder: Path) -> Path:
    """A tiny Z-Image-Turbo."""
    from diffusers import ZImageTransformer2DModel
    from transformers import AutoTokenizer

    words = bytes_tokenizer(folder / "tokenizer")
    transformer = ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[512, 64, 64],
    ).eval()
    for name in ("x_pad_token", "cap_pad_token"):  # nothing fills them until weights are loaded
        torch.nn.init.normal_(getattr(transformer, name))
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0),
        "vae": kl(),
        "text_encoder": Qwen3Model(qwen_config(words)).eval(),
        "tokenizer": AutoTokenizer.from_pretrained(folder / "tokenizer"),
        "transformer": transformer,
    }
    return saved("ZImagePipeline", folder, parts)


def klein(folder: Path) -> Path:
    """A tiny FLUX.2 klein; its encoder has as many layers as the states that are read need."""
    from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
    from transformers import AutoTokenizer

    words = bytes_tokenizer(folder / "tokenizer")
    vae = AutoencoderKLFlux2(
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=8,
        layers_per_block=1,
        patch_size=(2, 2),
    ).eval()
    torch.nn.init.normal_(vae.bn.running_mean)
    torch.nn.init.uniform_(vae.bn.running_var, 0.5, 2.0)
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    ).eval()
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        "vae": vae,
        "text_encoder": Qwen3ForCausalLM(qwen_config(words, layers=27)).eval(),
        "tokenizer": AutoTokenizer.from_pretrained(folder / "tokenizer"),
        "transformer": transformer,
    }
    return saved("Flux2KleinPipeline", folder, parts, is_distilled=False)


def clip_tokenizer() -> Any:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(TINY / "tokenizer")


def flux(folder: Path, *, guided: bool = False) -> Path:
    """A tiny FLUX.1 schnell, or dev where it is `guided`."""
    from diffusers import FluxTransformer2DModel
    from transformers import AutoTokenizer

    words = bytes_tokenizer(folder / "tokenizer_2")
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=guided,
    ).eval()
    shift = {"use_dynamic_shifting": True, "shift": 3.0} if guided else {"shift": 1.0}
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**shift),
        "vae": kl(),
        "text_encoder": clip(VOCABULARY, 32, pooled=False),
        "tokenizer": clip_tokenizer(),
        "text_encoder_2": t5(words, 32),
        "tokenizer_2": AutoTokenizer.from_pretrained(folder / "tokenizer_2"),
        "transformer": transformer,
    }
    return saved("FluxPipeline", folder, parts)


def sd3(folder: Path, *, t5_too: bool = True) -> Path:
    """A tiny Stable Diffusion 3.5, with or without T5."""
    from diffusers import SD3Transformer2DModel
    from transformers import AutoTokenizer

    words = bytes_tokenizer(folder / "tokenizer_3") if t5_too else 0
    transformer = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=64,
        caption_projection_dim=32,
        pooled_projection_dim=56,
        qk_norm="rms_norm",
        pos_embed_max_size=32,
    ).eval()
    third = AutoTokenizer.from_pretrained(folder / "tokenizer_3") if t5_too else None
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0),
        "vae": kl(),
        "text_encoder": clip(VOCABULARY, 32, pooled=True),
        "tokenizer": clip_tokenizer(),
        "text_encoder_2": clip(VOCABULARY, 24, pooled=True),
        "tokenizer_2": clip_tokenizer(),
        "text_encoder_3": t5(words, 64) if t5_too else None,
        "tokenizer_3": third,
        "transformer": transformer,
    }
    return saved("StableDiffusion3Pipeline", folder, parts)


def sana(folder: Path) -> Path:
    """A tiny SANA-Sprint."""
    from diffusers import AutoencoderDC, SanaTransformer2DModel, SCMScheduler
    from transformers import AutoTokenizer, Gemma2Config, Gemma2Model

    words = bytes_tokenizer(folder / "tokenizer", length=2000)
    vae = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.41407,
    ).eval()
    transformer = SanaTransformer2DModel(
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_attention_heads=2,
        attention_head_dim=4,
        num_cross_attention_heads=2,
        cross_attention_head_dim=4,
        cross_attention_dim=8,
        caption_channels=16,
        sample_size=32,
        qk_norm="rms_norm_across_heads",
        guidance_embeds=True,
    ).eval()
    encoder = Gemma2Config(
        head_dim=8,
        hidden_size=16,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=1,
        num_key_value_heads=2,
        vocab_size=words,
    )
    parts = {
        "scheduler": SCMScheduler(),
        "vae": vae,
        "text_encoder": Gemma2Model(encoder).eval(),
        "tokenizer": AutoTokenizer.from_pretrained(folder / "tokenizer"),
        "transformer": transformer,
    }
    return saved("SanaSprintPipeline", folder, parts)


FLOWS = {
    "z-image": made(z_image),
    "flux2-klein": made(klein),
    "flux-schnell": made(flux),
    "flux-dev": made(partial(flux, guided=True)),
    "sd3": made(sd3),
    "sd3 without t5": made(partial(sd3, t5_too=False)),
    "sana-sprint": made(sana),
}
