package dev.layercake.model;

import dev.layercake.kv.ContextReplay;
import dev.layercake.model.text.ChatMessage;
import dev.layercake.model.text.ChatTemplate;
import dev.layercake.model.text.ChatTemplateOptions;
import dev.layercake.model.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What asks a model to repeat a text: an instruction, for later parts with the last tokens of the part before, and what the
 * model's chat template writes between a message and its answer. The repeated tokens follow.
 */
final class ReplayPrompt {
    private static final int LAST_TOKENS = 8;
    private static final String WHOLE = "\n\nRepeat the text above word for word.";
    private static final String NEWEST = "\n\nRepeat the last part of the text above word for word.";
    private static final String ONWARD = "\n\nRepeat the text above word for word, from here on:";

    /** Stands for a message in a chat template. */
    private static final String MESSAGE = "\u2370";

    /** Asks for the text from its beginning. */
    private final int[] whole;
    /** Asks for what came since the text was repeated last. */
    private final int[] newest;
    /** Asks for what follows some tokens, which come after it. */
    private final int[] onward;
    /** Stands before the repetition. */
    private final int[] answer;

    private ReplayPrompt(int[] whole, int[] newest, int[] onward, int[] answer) {
        this.whole = whole;
        this.newest = newest;
        this.onward = onward;
        this.answer = answer;
    }

    /** What suits a model; a model without a tokenizer is not asked. */
    static ReplayPrompt of(Model model) {
        if (!model.hasTokenizer()) {
            return new ReplayPrompt(new int[0], new int[0], new int[0], new int[0]);
        }
        Tokenizer tokenizer = model.tokenizer();
        String answer = model.chatTemplate().map(ReplayPrompt::betweenMessages).orElse("\n");
        return new ReplayPrompt(
                tokenizer.encode(WHOLE, false),
                tokenizer.encode(NEWEST, false),
                tokenizer.encode(ONWARD, false),
                tokenizer.encode(answer, false));
    }

    private static String betweenMessages(ChatTemplate template) {
        String rendered = template.render(List.of(ChatMessage.user(MESSAGE)), ChatTemplateOptions.defaults());
        int end = rendered.lastIndexOf(MESSAGE);
        return end < 0 ? "\n" : rendered.substring(end + MESSAGE.length());
    }

    /** The most tokens that {@link #asking} returns. */
    int most() {
        int longest = Math.max(Math.max(whole.length, newest.length), onward.length + LAST_TOKENS);
        return Math.min(longest + answer.length, ContextReplay.MOST_ASKING_TOKENS);
    }

    /**
     * What stands before a part of the text.
     *
     * @param text that is repeated, part by part
     * @param from where the part begins
     * @param first whether it begins where the whole text does
     */
    int[] asking(int[] text, int from, boolean first) {
        int[] last = Arrays.copyOfRange(text, Math.max(0, from - LAST_TOKENS), from);
        int[] instruction = from > 0 ? onward : first ? whole : newest;
        int[] all = concat(concat(instruction, last), answer);
        return Arrays.copyOfRange(all, Math.max(0, all.length - ContextReplay.MOST_ASKING_TOKENS), all.length);
    }

    static int[] concat(int[] left, int[] right) {
        return IntStream.concat(Arrays.stream(left), Arrays.stream(right)).toArray();
    }
}
