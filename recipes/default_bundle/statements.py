"""What the default bundle's card says beside figures: terms, purpose, limits."""

from __future__ import annotations

from typing import Final

LICENCE: Final = (
    "The weights were trained on RAVDESS and nEMO (CC BY-NC-SA 4.0), EMOVO, Emo-DB and FER2013 "
    "(research use), CREMA-D (ODbL 1.0) and LibriSpeech (CC BY 4.0): use them for research and "
    "other non-commercial purposes, share changed weights alike, and train your own where you need "
    "other terms. That holds for the speech encoder, the fusion and the face encoder; GoEmotions "
    "is CC BY 4.0, the pretrained speech encoder MIT, MiniLM and BlazeFace Apache-2.0. The "
    "program's own licence, Apache-2.0, does not cover the weights of speech encoder, fusion and "
    "face encoder."
)
INTENDED_USE: Final = (
    "Research and prototypes of interfaces that react to how something is said, on people who know "
    "of it and agreed. It reads acted or outward expression, not what a person feels."
)
NOT_FOR: Final = (
    "Emotion recognition at work and in education is prohibited in the European Union (AI Act, "
    "Article 5(1)(f)), with narrow medical and safety exceptions; elsewhere in the EU it must be "
    "announced (Article 50(3)). Not for decisions about people (hiring, credit, insurance, police, "
    "border, courts), not for diagnosis, lie detection, covert use, and not on children."
)
NOTES: Final = (
    "Read the scores on corpora never seen first: they are what to expect of a new room, a new "
    "microphone, another language. Scores on people of the corpora that it was trained on are "
    "higher, and say less.",
    "Sound, words and faces of the training data come from different people who share only a label "
    "(label-paired). Scores of two or three modalities together are on such triples: they say that "
    "the fusion works, not how well it does on clips of one person.",
    "The sound is acted, by 140 people in English, German, Italian and Polish; ordinary read "
    "English counts as neutral. Surprise was acted only in RAVDESS and EMOVO. Words are English "
    "Reddit comments; faces are grey web pictures with noisy labels. Expect less of spontaneous "
    "speech, of children and of old age.",
    "While training, one modality of an emotional example often shows neutral (words in half of "
    "them, sound and face in a fifth): neutral words do not cancel an angry voice.",
)
