// How large a file may be: no camera's photo is larger, and it takes several times its size in memory.

export const MOST_BYTES = 64e6;

export const tooLarge = size => `a file of ${Math.round(size / 1e6)} MB, of ${MOST_BYTES / 1e6} at most; scale the photo down first`;
