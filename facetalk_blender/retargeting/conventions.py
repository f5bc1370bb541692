"""What the usual characters call their expressions, in words that are not ARKit's.

Stems are joined words in lower case without a side, see `names`; what a row gives is a stem of ARKit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .names import VISEMES

# The side of the name stays. Several words for one stem move together.
STEMS: dict[str, dict[str, str]] = {
    "Character Creator": {
        "browraiseinner": "browinnerup", "browraiseouter": "browouterup", "browraise": "browouterup",
        "browdrop": "browdown", "cheekraise": "cheeksquint", "mouthpuckerup": "mouthpucker",
        "mouthpuckerdown": "mouthpucker", "mouthfunnelup": "mouthfunnel", "mouthfunneldown": "mouthfunnel",
        "mouthrollinupper": "mouthrollupper", "mouthrollinlower": "mouthrolllower", "mouthupupper": "mouthupperup",
        "mouthdownlower": "mouthlowerdown", "mouthtoplipup": "mouthupperup", "mouthbottomlipdown": "mouthlowerdown",
        "nosescrunch": "nosesneer",
    },
    "MetaHuman": {
        "browraisein": "browinnerup", "browraiseouter": "browouterup", "eyewiden": "eyewide",
        "eyesquintinner": "eyesquint", "eyecheekraise": "cheeksquint", "nosewrinkle": "nosesneer",
        "mouthcornerpull": "mouthsmile", "mouthcornerdepress": "mouthfrown", "mouthupperlipraise": "mouthupperup",
        "mouthlowerlipdepress": "mouthlowerdown", "mouthlipspress": "mouthpress",
        "mouthupperliprollin": "mouthrollupper", "mouthlowerliprollin": "mouthrolllower", "jawfwd": "jawforward",
        "mouthcheekblow": "cheekpuff", "mouthlipspurse": "mouthpucker", "mouthlipstowards": "mouthclose",
    },
    "DAZ": {
        "mouthfunnelupper": "mouthfunnel", "mouthfunnellower": "mouthfunnel", "mouthpurseupper": "mouthpucker",
        "mouthpurselower": "mouthpucker", "mouthpressupper": "mouthpress", "mouthpresslower": "mouthpress",
        "mouthpurse": "mouthpucker", "lipspucker": "mouthpucker", "browinnerupdown": "browinnerup",
        "browouterupdown": "browouterup",
    },
    "Faceshift": {
        "browsd": "browdown", "browsuc": "browinnerup", "browsu": "browouterup", "eyedown": "eyelookdown",
        "eyein": "eyelookin", "eyeout": "eyelookout", "eyeup": "eyelookup", "eyeopen": "eyewide",
        "lipsstretch": "mouthstretch", "lipsupperclose": "mouthrollupper", "lipslowerclose": "mouthrolllower",
        "lipsupperup": "mouthupperup", "lipslowerdown": "mouthlowerdown", "lipsfunnel": "mouthfunnel",
        "lipspucker": "mouthpucker", "chinlowerraise": "mouthshruglower", "chinupperraise": "mouthshrugupper",
        "sneer": "nosesneer", "puff": "cheekpuff",
    },
    "SRanipal": {
        "mouthapeshape": "mouthclose", "mouthstretcher": "mouthstretch", "mouthpout": "mouthpucker",
        "mouthsad": "mouthfrown",
        "mouthupperinside": "mouthrollupper", "mouthlowerinside": "mouthrolllower",
        "mouthloweroverlay": "mouthshruglower", "mouthupperoverturn": "mouthshrugupper", "eyesqueeze": "eyesquint",
        "tonguelongstep1": "tongueout", "tonguelongstep": "tongueout", "tonguelongstep2": "tongueout",
    },
    "Unified Expressions": {
        "eyeclosed": "eyeblink", "browlowerer": "browdown", "mouthclosed": "mouthclose",
        "lipsuckupper": "mouthrollupper", "lipsucklower": "mouthrolllower", "lipfunnelupper": "mouthfunnel",
        "lipfunnellower": "mouthfunnel", "lippuckerupper": "mouthpucker", "lippuckerlower": "mouthpucker",
        "lipfunnel": "mouthfunnel", "lippucker": "mouthpucker", "mouthraiserupper": "mouthshrugupper",
        "mouthraiserlower": "mouthshruglower",
    },
    "FACS": {
        "innerbrowraiser": "browinnerup", "outerbrowraiser": "browouterup", "upperlidraiser": "eyewide",
        "cheekraiser": "cheeksquint", "lidtightener": "eyesquint", "nosewrinkler": "nosesneer",
        "upperlipraiser": "mouthupperup", "lipcornerpuller": "mouthsmile", "dimpler": "mouthdimple",
        "lipcornerdepressor": "mouthfrown", "lowerlipdepressor": "mouthlowerdown", "chinraiser": "mouthshruglower",
        "chinraiserb": "mouthshruglower", "chinraisert": "mouthshrugupper", "lippuckerer": "mouthpucker",
        "lipstretcher": "mouthstretch", "lipfunneler": "mouthfunnel", "lippressor": "mouthpress",
        "jawdrop": "jawopen", "jawthrust": "jawforward", "jawsideways": "jaw", "lipstoward": "mouthclose",
    },
    "Roblox": {
        "chinraiserupperlip": "mouthshrugupper", "funneler": "mouthfunnel", "pucker": "mouthpucker",
        "lowerlipsuck": "mouthrolllower", "upperlipsuck": "mouthrollupper", "lippresser": "mouthpress",
        "lipstogether": "mouthclose", "lipcornerdown": "mouthfrown", "eyeupperlidraiser": "eyewide",
        "eyeclosed": "eyeblink",
    },
    "MB-Lab": {
        "browoutvert": "browouterup", "browsmidvert": "browinnerup", "cheeksneer": "nosesneer", "jawout": "jawforward",
    },
    "MakeHuman": {"mouthmove": "mouth", "mouthpullup": "mouthsmile", "mouthpulldown": "mouthfrown"},
    "Ready Player Me": {
        "mouthopen": "jawopen", "eyesclosed": "eyeblink", "eyeslookup": "eyelookup", "eyeslookdown": "eyelookdown",
    },
    "VRM": {
        "blink": "eyeblink", "eyeclose": "eyeblink", "lookup": "eyelookup", "lookdown": "eyelookdown",
    },
    "Mixamo": {
        "eyeswide": "eyewide", "browsin": "browinnerup", "browsup": "browouterup", "browsdown": "browdown",
        "lowerlipdown": "mouthlowerdown", "upperlipup": "mouthupperup", "lowerlipin": "mouthrolllower",
        "upperlipin": "mouthrollupper", "midmouth": "mouth", "mouthnarrow": "mouthpucker", "jawdown": "jawopen",
        "jawforeward": "jawforward",
    },
    "MMD": {"まばたき": "eyeblink", "びっくり": "eyewide", "口角上げ": "mouthsmile", "口角下げ": "mouthfrown"},
}  # fmt: skip

# Without a side they are shapes that a character is made with.
SIDED_STEMS = frozenset({"eyedown", "eyein", "eyeout", "eyeup", "eyeopen"})

# Whole names, stem and side joined, that follow no rule of sides.
WHOLE_NAMES: dict[str, dict[str, str]] = {
    "Character Creator": {
        "eyellookleft": "eyeLookOutLeft", "eyellookright": "eyeLookInLeft",
        "eyerlookleft": "eyeLookInRight", "eyerlookright": "eyeLookOutRight",
        "eyellookup": "eyeLookUpLeft", "eyellookdown": "eyeLookDownLeft",
        "eyerlookup": "eyeLookUpRight", "eyerlookdown": "eyeLookDownRight",
        "vopen": "viseme_aa", "vexplosive": "viseme_PP", "vdentallip": "viseme_FF", "vaffricate": "viseme_CH",
        "vtighto": "viseme_O", "vtight": "viseme_U", "vwide": "viseme_I", "vlipopen": "viseme_SS",
    },
    "MetaHuman": {
        f"{eye}{towards}{side}": f"eyeLook{way}{side.capitalize()}"
        for eye in ("eyelook", "eyeslook")
        for side in ("left", "right")
        for towards, way in (("left", "Out" if side == "left" else "In"), ("right", "In" if side == "left" else "Out"))
    }
    | {
        "jawchinraisedl": "mouthShrugLower", "jawchinraisedr": "mouthShrugLower",
        "jawchinraiseul": "mouthShrugUpper", "jawchinraiseur": "mouthShrugUpper",
    },
    "SRanipal": {
        "eyeleftleft": "eyeLookOutLeft", "eyeleftright": "eyeLookInLeft",
        "eyerightleft": "eyeLookInRight", "eyerightright": "eyeLookOutRight",
    },
    "FACS": {
        "lipsucklb": "mouthRollLower", "lipsuckrb": "mouthRollLower", "lipsucklt": "mouthRollUpper",
        "lipsuckrt": "mouthRollUpper",
    },
    "VRM": {
        "mtha": "viseme_aa", "mthi": "viseme_I", "mthu": "viseme_U", "mthe": "viseme_E", "mtho": "viseme_O",
        "lookleft": "lookLeft", "lookright": "lookRight", "eyeslookleft": "lookLeft", "eyeslookright": "lookRight",
    },
    "MMD": {
        "あ": "viseme_aa", "い": "viseme_I", "う": "viseme_U", "え": "viseme_E", "お": "viseme_O",
        "ん": "viseme_nn",
    },
    "Oculus": {
        f"{prefix}{word}": name
        for prefix in ("viseme", "vis", "v")
        for word, name in {
            **{name.removeprefix("viseme_").lower(): name for name in VISEMES},
            "ih": "viseme_I", "oh": "viseme_O", "ou": "viseme_U",
        }.items()
    },
}  # fmt: skip

# Numbers of the Facial Action Coding System.
ACTION_UNITS: dict[int, str] = {
    1: "browinnerup", 2: "browouterup", 4: "browdown", 5: "eyewide", 6: "cheeksquint", 7: "eyesquint",
    9: "nosesneer", 10: "mouthupperup", 12: "mouthsmile", 14: "mouthdimple", 15: "mouthfrown", 16: "mouthlowerdown",
    17: "mouthshruglower", 18: "mouthpucker", 19: "tongueout", 20: "mouthstretch", 22: "mouthfunnel",
    24: "mouthpress", 26: "jawopen", 27: "jawopen", 29: "jawforward", 30: "jaw", 33: "cheekpuff", 34: "cheekpuff",
    43: "eyeblink", 44: "eyesquint", 45: "eyeblink", 46: "eyeblink", 61: "lookleft", 62: "lookright",
    63: "eyelookup", 64: "eyelookdown",
}  # fmt: skip


@dataclass(frozen=True)
class Alphabet:
    """Short names of mouths, which mean something only where several stand together.

    needed: how many of the words a mesh has to have at least, and of which ones it has to have any or all.
    """

    convention: str
    visemes: dict[str, str]
    needed: int
    any_of: frozenset[str] = frozenset()
    all_of: frozenset[str] = frozenset()

    def viseme_of(self, word: str) -> str | None:
        """What a word stands for; letters of several consonants stand for what most of them are."""
        found = self.visemes.get(word)
        if found is None and self.convention in CLUSTERING:
            parts = _consonants(word)
            found = Counter(CONSONANTS[part] for part in parts).most_common(1)[0][0] if parts else None
        return found


def _visemes(text: str) -> dict[str, str]:
    rows = (row.split(":") for row in text.split(";"))
    return {word: f"viseme_{viseme.strip()}" for viseme, words in rows for word in words.split()}


def _alphabet(convention: str, text: str, needed: int, any_of: str = "", all_of: str = "") -> Alphabet:
    return Alphabet(convention, _visemes(text), needed, frozenset(any_of.split()), frozenset(all_of.split()))


def _consonants(word: str) -> list[str]:
    """The consonants that a word like mbp, shch or lntd consists of; empty if it has anything else."""
    found = []
    while word:
        part = next((word[:length] for length in (2, 1) if word[:length] in CONSONANTS), None)
        if part is None:
            return []
        found.append(part)
        word = word[len(part) :]
    return found


OCULUS = "sil: sil; PP: pp; FF: ff; TH: th; DD: dd; kk: kk; CH: ch; SS: ss; nn: nn; RR: rr; aa: aa"
CONSONANT_ROWS = (
    "PP: p b m; FF: f v; TH: th dh; DD: t d; kk: k g ng c; CH: sh ch jh zh j; SS: s z; nn: n l; RR: r; U: w q"
)
CONSONANTS = _visemes(CONSONANT_ROWS)
CLUSTERING = frozenset({"Preston Blair", "Phones", "Letters"})
ALPHABETS = (
    _alphabet("VRM", "aa: a aa; I: i ih; U: u ou; E: e ee; O: o oh", 3, any_of="a ou ee ih"),
    _alphabet("Oculus", OCULUS + "; E: e ee; I: i ih; O: o oh; U: u ou", 3, any_of="aa pp ff dd kk nn"),
    # In Rhubarb's chart, which is Hanna-Barbera's, A is closed and X is rest.
    _alphabet("Rhubarb", "PP: a; SS: b; E: c; aa: d; O: e; U: f; FF: g; nn: h; sil: x", 5, all_of="a b c d"),
    _alphabet(
        "Preston Blair",
        "aa: ai a aei ah; I: i ee; E: e; O: o oh; U: u wq oo w; PP: mbp bmp pbm; FF: fv f; nn: l; TH: th; "
        "DD: etc cdgknrsthyz consonants; sil: rest",
        5,
        any_of="mbp bmp fv wq ai",
    ),
    _alphabet(
        "Phones",
        CONSONANT_ROWS + "; PP: mm; nn: ln en; RR: er; kk: h hh; DD: tdn; aa: aa aah bigaah ah ae ax ay aw a; "
        "E: eh ey e schwa; I: iy ih ix y i ee eee; O: ow ao oy o oh; U: uw uh u oo ou ooh woo oohq eu; "
        "sil: sil rest silence neutral",
        5,
        any_of="aa ae ah iy ow uw eh er uh ih sh oo aah",
    ),
    _alphabet(
        "Letters", "aa: a; E: e; I: i; O: o; U: u w; PP: m p b; FF: f v; SS: s; nn: l n; TH: th; DD: t d; RR: r", 6,
        any_of="m f l s th", all_of="a e o",
    ),
    _alphabet(
        "Character Creator 3",
        "aa: open; PP: explosive; FF: dentallip; CH: affricate; O: tighto; U: tight; I: wide; SS: lipopen",
        4,
        any_of="explosive affricate dentallip",
    ),
    _alphabet(
        "FaceFX", "aa: open; U: w; CH: shch; PP: pbm; FF: fv; I: wide; kk: tback; DD: troof; TH: tteeth", 5,
        any_of="shch pbm tteeth",
    ),
    _alphabet("Korean", "aa: 아; I: 이; U: 우; E: 에; O: 오", 3),
    _alphabet("Russian", "aa: а; I: и; U: у; E: э е; O: о; PP: м п б; FF: ф в; SS: с; nn: л", 4, all_of="а о"),
)  # fmt: skip
# The numbers of Microsoft's (SAPI's, Azure's) visemes, from silence to p, b, m.
MICROSOFT = "sil aa aa O E RR I U O aa O aa kk RR nn SS CH TH FF DD kk PP".split()
VISEME_WORDS = frozenset({"viseme", "visemes", "vis", "v", "phoneme", "phonemes", "phone", "ph", "lipsync"})
