package dev.layercake.model;

import dev.layercake.model.tokenizer.Tokenizer;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The tokens that end an answer, in files of which many name only one of several: what the configuration names, and every
 * control token whose text is known to end a turn.
 */
final class TurnEnds {
    /** How the families write the end of a turn, of a message, or of a text. */
    private static final List<String> TEXTS = List.of(
            "<|end|>",
            "<|eot_id|>",
            "<|eom_id|>",
            "<|im_end|>",
            "<end_of_turn>",
            "<|end_of_turn|>",
            "<|endoftext|>",
            "<|end_of_text|>",
            "</s>",
            "<\uff5cend\u2581of\u2581sentence\uff5c>");

    private final Tokenizer tokenizer;
    private final String template;
    private final Set<String> controlTexts;
    private final int vocabularySize;

    /**
     * @param template source of the chat template, empty if there is none
     * @param controlTexts texts of tokens that files beside the tokenizer declare as control tokens
     * @param vocabularySize tokens that the model knows
     */
    TurnEnds(Tokenizer tokenizer, String template, Collection<String> controlTexts, int vocabularySize) {
        this.tokenizer = tokenizer;
        this.template = template;
        this.controlTexts = Set.copyOf(controlTexts);
        this.vocabularySize = vocabularySize;
    }

    /**
     * All tokens that end an answer.
     *
     * @param named token numbers that the configuration names
     * @param eosTexts texts that the tokenizer's own configuration calls the end
     */
    List<Integer> all(Collection<Integer> named, Collection<String> eosTexts) {
        Set<Integer> ends = new LinkedHashSet<>(named);
        eosTexts.forEach(text -> add(ends, text));
        for (String text : TEXTS) {
            if (isControl(text)) {
                add(ends, text);
            }
        }
        return List.copyOf(ends);
    }

    private void add(Set<Integer> ends, String text) {
        OptionalInt id = tokenizer.tokenId(text);
        if (id.isPresent() && id.getAsInt() < vocabularySize) {
            ends.add(id.getAsInt());
        }
    }

    /** Gemma's vocabulary has {@code </s>} for a tag of HTML: the text alone says nothing. */
    private boolean isControl(String text) {
        OptionalInt id = tokenizer.tokenId(text);
        return id.isPresent()
                && (tokenizer.isSpecial(id.getAsInt()) || controlTexts.contains(text) || template.contains(text));
    }
}
