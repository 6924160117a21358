// How sure the model is, for people: Python's `confidence_in_words`, and the line under the sentence.

const SURE = __SURE__, PERHAPS = __PERHAPS__;

// Whether the model says how sure it is: it has learned that, and of photos alone.
export const isJudged = ({confidence, kind}) => confidence !== undefined && (kind ?? "photo") === "photo";

export const inWords = confidence => confidence >= SURE ? "sure" : confidence >= PERHAPS ? "perhaps" : "a guess";

// about: what people may name as well.
export const chance = (confidence, about) => `${Math.round(100 * confidence)}% chance that people name ${about}, too`;
