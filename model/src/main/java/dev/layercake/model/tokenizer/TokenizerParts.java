package dev.layercake.model.tokenizer;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a tokenizer is made of, whatever file it came from.
 *
 * @param pieces the vocabulary, without added tokens that it does not have
 * @param unknown the token for what the vocabulary does not have, or -1
 * @param added in the order of the file
 * @param normalizer changes a text before it is cut, or null
 * @param words cuts a text into words and these into tokens
 * @param surroundings tokens around every text
 * @param decoder how pieces become text again
 */
record TokenizerParts(
        PieceTable pieces,
        int unknown,
        List<AddedToken> added,
        @Nullable TextRule normalizer,
        TextStage words,
        Surroundings surroundings,
        PieceDecoder decoder) {}
