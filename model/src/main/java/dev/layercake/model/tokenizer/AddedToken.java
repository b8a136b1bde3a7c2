package dev.layercake.model.tokenizer;

/**
 * A token that is found in the text as a whole, before the vocabulary's own rules cut the rest.
 *
 * @param id the token's number in the vocabulary
 * @param content the characters that stand for it
 * @param special whether it steers the model (a control token such as an end of turn) and is left out of readable text
 * @param leftStrip whether white space before it belongs to it
 * @param rightStrip whether white space after it belongs to it
 * @param singleWord whether it is found only where no word character stands beside it
 * @param normalized whether it is looked for in the normalized text
 */
public record AddedToken(
        int id,
        String content,
        boolean special,
        boolean leftStrip,
        boolean rightStrip,
        boolean singleWord,
        boolean normalized) {

    AddedToken asSpecial() {
        return new AddedToken(id, content, true, leftStrip, rightStrip, singleWord, normalized);
    }
}
