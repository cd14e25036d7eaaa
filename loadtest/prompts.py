"""Knows how to write prompts of a wanted length without a tokenizer; refuses to know who reads them.

A prompt is made of words of four letters, which are a token each in most vocabularies. Two probe requests before a run
say how many tokens a word really is, and how many a prompt has besides (template, nonce): `calibrated`.

    shared prefix   f(seed, class, prefix id), first, so that a cache can hold it
    nonce           16 hexadecimal digits, so that nothing else is held by accident
    filler          a slice of one long text, from a place that the nonce says
    block           f(seed, block id): equal ids are equal text; it begins with a word that no other id has, so prompts
                    that share k leading ids share k blocks of words and not one word more

A salt keeps a run from what an earlier run of the same seed left in a cache.

Error: with a calibration the prompt's tokens are meant to be within 2 % of those asked for; the report shows what came.
Measured with Mistral's Tekken vocabulary (130,000 entries): 1.01 tokens a word, prompts of 200 to 4,096 words within
0.6 %; with one of 291 entries, 4.8 tokens a word, within 0.1 %.

Source: spec/loadtest.md 8 (exact length, uniqueness), 10 (block text), 21.10.
"""

from dataclasses import dataclass
from hashlib import sha256

from loadtest.errors import PlanError
from loadtest.plan import Arrival
from loadtest.random_streams import stream

BLOCK_TOKENS = 512
"""Tokens of a block of a trace."""
PROBE_WORDS_FEW = 16
"""Words of the shorter prompt that calibrates."""
PROBE_WORDS_MANY = (1024, 256, 64)
"""Words of the longer one; where an endpoint refuses so many, the next."""

_RING = 1 << 16
_LETTERS = 4
_WIDTH = _LETTERS + 1  # a word and its space
_WORDS = (  # end to end
    "ableacidagedalsoareaarmyawaybabybackballbandbankbasebathbearbeatbeenbeerbellbeltbestbillbirdblowblueboat"
    "bodybombbondbonebookboombornbossbothbowlbulkburnbushbusycallcalmcamecampcardcarecasecashcastcellchatchipcityclub"
    "coalcoatcodecoldcomecookcoolcopecopycorecostcrewcropdarkdatadatedawndaysdeaddealdeandeardebtdeepdenydeskdialdiet"
    "discdiskdoesdonedoordosedowndrawdrewdropdrugdualdukedustdutyeachearneaseeasteasyedgeelseeveneverevilexitfacefact"
    "failfairfallfarmfastfatefearfeedfeelfeetfellfeltfilefillfilmfindfinefirefirmfishfiveflatflowfoodfootfordformfort"
    "fourfreefromfuelfullfundgaingamegategavegeargenegiftgirlgivegladgoalgoesgoldgolfgonegoodgraygrewgreygrowgulfhair"
    "halfhallhandhanghardharmhatehaveheadhearheatheldhellhelphereherohighhillhireholdholeholyhomehopehosthourhugehung"
    "hunthurtideainchintoironitemjoinjumpjuryjustkeenkeepkeptkickkindkingkneeknewknowlackladylaidlakelandlanelastlate"
    "leadleftlesslifeliftlikelinelinkliveload"
)
_WORDS_N = len(_WORDS) // _LETTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How words become tokens at one endpoint.

    Attributes:
        tokens_per_word: Above 0.
        tokens_fixed: Of a prompt without a word: the model's template and the nonce.
        probes: Words and tokens of the two prompts that said so; empty if it is assumed.
        why: Why it is assumed; empty if it is not.
    """

    tokens_per_word: float = 1.0
    tokens_fixed: float = 0.0
    probes: tuple[tuple[int, int], ...] = ()
    why: str = ""

    def words(self, tokens: int) -> int:
        """Return how many words make a prompt of so many tokens; at least one."""
        return max(1, round((tokens - self.tokens_fixed) / self.tokens_per_word))

    def words_within(self, tokens: int) -> int:
        """Return how many words make so many tokens inside a prompt."""
        return max(1, round(tokens / self.tokens_per_word))


def calibrated(few: tuple[int, int], many: tuple[int, int]) -> Calibration:
    """Return the calibration that two prompts show.

    Args:
        few: Words and `usage.prompt_tokens` of the shorter one.
        many: Of the longer one.

    Raises:
        PlanError: The longer one has not more tokens.
    """
    if many[1] <= few[1]:
        raise PlanError(f"prompts of {few[0]} and {many[0]} words have {few[1]} and {many[1]} tokens, allowed: more")
    per_word = (many[1] - few[1]) / (many[0] - few[0])
    return Calibration(tokens_per_word=per_word, tokens_fixed=few[1] - few[0] * per_word, probes=(few, many))


class Writer:
    """Writes the prompts of one plan.

    Args:
        seed: Of the plan.
        calibration: Of the endpoint.
        salt: Of the run; with an empty one the texts follow from the seed alone.
    """

    def __init__(self, seed: int, calibration: Calibration | None = None, salt: str = "") -> None:
        """Make the long text that all filler is cut from."""
        uniform = stream(seed, "text/ring")
        self._ring = "".join(f"{_word(int(uniform() * _WORDS_N))} " for _ in range(_RING))
        self._seed, self._salt = seed, salt
        self._calibration = calibration or Calibration()

    def prompt(self, arrival: Arrival) -> str:
        """Return the prompt of a first turn."""
        words = self._calibration.words(arrival.len_in)
        if arrival.blocks:
            return self._blocks(arrival.blocks, words)
        before = min(self._calibration.words_within(arrival.prefix_len), words - 1) if arrival.prefix_len else 0
        shared = self._text(f"prefix/{arrival.workload_class}/{arrival.prefix_id}", before)
        return f"{shared}{self.unique(arrival.nonce, words - before)}"

    def unique(self, nonce: int, words: int) -> str:
        """Return a nonce and so many words, for a prompt that is like no other; probes are written so too."""
        digest = self._digest(f"nonce/{nonce}")
        head = f"{nonce:016x}" if not self._salt else digest[:8].hex()
        return f"{head} {self._cut(digest, words)}"[:-1]

    def follow_up(self, arrival: Arrival, turn: int, tokens: int) -> str:
        """Return the new text of a further turn of the conversation that the arrival opens."""
        return self._text(f"turn/{arrival.nonce}/{turn}", self._calibration.words_within(tokens))[:-1]

    def _blocks(self, blocks: tuple[int, ...], words: int) -> str:
        whole = self._calibration.words_within(BLOCK_TOKENS)
        last = max(1, words - whole * (len(blocks) - 1))
        sizes = [whole] * (len(blocks) - 1) + [min(last, whole)]
        return "".join(map(self._block, blocks, sizes))[:-1]

    def _block(self, block: int, words: int) -> str:
        return f"{_numeral(block)} {self._text(f'block/{block}', words - 1)}"

    def _text(self, name: str, words: int) -> str:
        return self._cut(self._digest(name), words)

    def _digest(self, name: str) -> bytes:
        return sha256(f"{self._seed}/{self._salt}/{name}".encode()).digest()

    def _cut(self, digest: bytes, words: int) -> str:
        """Return so many words of the ring, from a place that a digest says, each with its space."""
        start = int.from_bytes(digest[8:16], "big") % _RING
        turns = (start + words) // _RING + 1
        text = self._ring * turns if turns > 1 else self._ring
        return text[start * _WIDTH : (start + words) * _WIDTH]


def _numeral(number: int) -> str:
    """Return a number as one word, its low digits first: all words are of one length, so no two numbers are alike."""
    digits = _word(number % _WORDS_N)
    while number >= _WORDS_N:
        number //= _WORDS_N
        digits += _word(number % _WORDS_N)
    return digits


def _word(at: int) -> str:
    return _WORDS[at * _LETTERS : (at + 1) * _LETTERS]
