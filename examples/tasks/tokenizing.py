"""Small tokenizers in the forms that published checkpoints carry: DeBERTa v2/v3 (Unigram), DeBERTa v1 and RoBERTa (byte-level BPE), BERT (WordPiece).

They are trained on corpus.txt, which was taken from the project's own pages, and on lines of texts.py.
"""
import os

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

import texts

HERE = os.path.dirname(os.path.abspath(__file__))
BRACKETS = {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"}
ANGLES = {"cls": "<s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}


def corpus():
    with open(os.path.join(HERE, "corpus.txt"), encoding="utf-8") as f:
        return f.read().splitlines() + texts.MULTILINGUAL * 8


def template(t):
    return processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                         special_tokens=[(x, t.token_to_id(x)) for x in ("[CLS]", "[SEP]")])


def unigram(size):
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    t.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    t.train_from_iterator(corpus(), trainers.UnigramTrainer(vocab_size=size, special_tokens=special, unk_token="[UNK]", show_progress=False))
    t.add_special_tokens([AddedToken(x, normalized=x == "[UNK]", special=True) for x in special + ["[MASK]"]])
    t.post_processor = template(t)
    return t


def byte_bpe(size, names):
    special = [names[k] for k in (["pad", "cls", "sep", "unk"] if names is BRACKETS else ["cls", "pad", "sep", "unk"])]
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    t.train_from_iterator(corpus(), trainer)
    t.add_special_tokens([AddedToken(x, normalized=False, special=True) for x in special] + [AddedToken(names["mask"], lstrip=True, normalized=False, special=True)])
    if names is BRACKETS:
        t.post_processor = template(t)
    else:
        t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")), trim_offsets=True, add_prefix_space=False)
    return t


def wordpiece(size):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False))
    t.post_processor = template(t)
    return t


MAKERS = {
    "deberta-v2": lambda: unigram(400),
    "deberta": lambda: byte_bpe(420, BRACKETS),
    "roberta": lambda: byte_bpe(420, ANGLES),
    "bert": lambda: wordpiece(420),
}


def make(kind, limit, made={}):
    """The tokenizer of a model type, with a limit on the tokens of a text. One that lies in tokenizers/ is kept, as training is not repeatable
    to the byte."""
    if kind not in made:
        path = os.path.join(HERE, "tokenizers", kind + ".json")
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            MAKERS[kind]().save(path, pretty=False)
        made[kind] = path
    t, names = Tokenizer.from_file(made[kind]), ANGLES if kind == "roberta" else BRACKETS
    return PreTrainedTokenizerFast(tokenizer_object=t, model_max_length=limit, clean_up_tokenization_spaces=False,
                                   model_input_names=["input_ids", "token_type_ids", "attention_mask"],
                                   cls_token=names["cls"], sep_token=names["sep"], pad_token=names["pad"], unk_token=names["unk"], mask_token=names["mask"])
