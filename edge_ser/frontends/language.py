"""Whether words are in a language that the text encoder knows: by tag, by script, by stop words.

Words in another language are no evidence for an encoder that never read any. The check is small on
purpose: it says so where it is sure, and leaves short or mixed utterances alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

# Names that recognisers write where others write a code (ISO 639-1).
_CODES: Final = {
    "arabic": "ar", "chinese": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en",
    "finnish": "fi", "french": "fr", "german": "de", "hindi": "hi", "italian": "it",
    "japanese": "ja", "korean": "ko", "norwegian": "no", "polish": "pl", "portuguese": "pt",
    "russian": "ru", "spanish": "es", "swedish": "sv", "turkish": "tr", "ukrainian": "uk",
}  # fmt: skip
_NAMES: Final = {code: name.capitalize() for name, code in _CODES.items()}

# Frequent function words; those that two languages share are no evidence for either of the two and
# cancel out, as both count them.
_STOP_WORDS: Final = {
    "en": "the a an and or but if of to in on at for with from by as is are was were be been am i "
    "you he she it we they me him her us them my your his its our their this that these those not "
    "no do does did don't didn't have has had will would can could should what who when where why "
    "how there here so just i'm it's that's you're can't out up about all get got know like",
    "cs": "a je to se na že v já jsem ty jsi co tak ale jak s si mi mě ho byl by když jen už proč "
    "jsme jste bylo nebo kde tam tady není nic mám máš můžu pro od do po za",
    "de": "der die das und ist ich nicht du wir sie es ein eine einen den dem zu mit auf für von "
    "was wie wer wo hat haben bin bist sind war wenn aber auch noch so mich dich mir dir ihr uns "
    "kein keine nur schon doch mal hier",
    "es": "el la los las un una de que y en no es por con para se lo me te su mi tu como pero más "
    "qué está estoy eres soy muy ya si esto eso ha he del al nos bien hay todo",
    "fi": "ja on ei se en minä sinä hän me te he että mitä mutta niin kun jos oli ole olen olet "
    "tämä tuo nyt vain kuin sitä minun sinun joka missä miksi hyvä pitää kanssa",
    "fr": "le la les un une des de du et est je tu il elle nous vous ils que qui ne pas dans en "
    "pour avec sur ce c'est j'ai mais ça se me te mon ton son au aux bien si plus tout y",
    "it": "il lo la i gli le un una di che e è non per in con mi ti si sono sei ho hai ha ma come "
    "cosa questo questa del della al da su più se io tu lui lei noi c'è bene",
    "nl": "de het een en is ik niet je jij we ze hij dat die van in op te met voor er maar wat dit "
    "zijn ben bent heb heeft was naar aan om als ook nog geen mijn hem haar",
    "pl": "i w nie to się na z że jest do co jak ja ty my on ona tak ale mnie mi go był była za po "
    "czy jestem jesteś tylko już dla są ma mam",
    "pt": "o a os as um uma de que e é não em para com se eu você ele ela nós me te do da no na "
    "por mas está estou isso isto foi bem muito aqui como tem seu sua",
    "sv": "och är det jag du inte att en ett på som för med har den vi de han hon av till om vad "
    "men var så kan ska mig dig här nu där min din",
    "tr": "bir bu ve ne için ben sen o de da mi çok değil var yok ama gibi ile daha kadar nasıl "  # noqa: RUF001
    "şey evet hayır bana sana onu biz siz",  # noqa: RUF001
}  # fmt: skip
_STOPS: Final = {language: frozenset(words.split()) for language, words in _STOP_WORDS.items()}

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")  # noqa: RUF001

# Fewer words than that are too few to count.
_FEWEST_WORDS: Final = 3
_FEWEST_HITS: Final = 2

# Letters of another script than Latin that make a text foreign to an encoder of Latin script.
_FOREIGN_LETTERS: Final = 0.5


def why_foreign(text: str, language: str | None, known: Sequence[str]) -> str | None:
    """Say why words are no evidence for an encoder that knows some languages; None if they are.

    Args:
        text: what was said.
        language: the tag that the transcript carries (``en-US``, ``german``), which wins; or None.
        known: codes of the encoder's languages, ISO 639-1, such as ``en``; empty: all are taken.
    """
    if not known:
        return None
    found = tagged(language) or detected(text)
    if found is None or found in known:
        return None
    return (
        f"the words are in {_NAMES.get(found, found)}, and the text encoder knows "
        f"{language_names(known)} alone"
    )


def language_names(codes: Sequence[str]) -> str:
    """Names of languages, in a sentence."""
    return " and ".join(_NAMES.get(code, code) for code in codes)


def tagged(language: str | None) -> str | None:
    """The code (ISO 639-1) that a tag such as ``en-US`` or ``English`` means, or None."""
    if not language:
        return None
    name = re.split(r"[-_]", language.strip().lower())[0]
    return _CODES.get(name, name if len(name) in (2, 3) and name.isalpha() else None)


def detected(text: str) -> str | None:
    """The language of a text as far as its script and its stop words tell; None if they do not."""
    words = _WORD.findall(text.lower().replace("’", "'"))  # noqa: RUF001
    letters = [c for word in words for c in word if c != "'"]
    foreign = [c for c in letters if not unicodedata.name(c, "").startswith("LATIN")]
    if len(foreign) > _FOREIGN_LETTERS * len(letters):
        return unicodedata.name(foreign[0], "another script").split()[0].capitalize() + " script"
    if len(words) < _FEWEST_WORDS:
        return None
    hits = {language: len(stops.intersection(words)) for language, stops in _STOPS.items()}
    best = max(hits, key=lambda language: hits[language])
    accented = sum(not word.isascii() for word in words)
    if best == "en":
        return best if hits[best] >= _FEWEST_HITS else None
    # Neighbours share words: it is enough that English, the usual language, is far behind.
    if hits[best] >= max(_FEWEST_HITS, 0.2 * len(set(words)), 2 * hits["en"] + 2):
        return best
    if accented >= max(_FEWEST_HITS, 0.15 * len(words)) and not hits["en"]:
        return best if hits[best] else "another language"
    return None
