package dev.layercake.eval;

import dev.layercake.model.Model;
import dev.layercake.model.text.ChatMessage;
import dev.layercake.model.text.ChatTemplate;
import dev.layercake.model.text.ChatTemplateOptions;
import dev.layercake.model.tokenizer.EncodeOptions;
import dev.layercake.model.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Turns prompts into the tokens that a model reads: written as its chat template has it, and cut where the question
 * begins, so that the text can be read before the question is known.
 */
public final class PromptEncoder {
    private final Tokenizer tokenizer;
    private final Optional<ChatTemplate> template;

    public PromptEncoder(Model model) {
        this.tokenizer = model.tokenizer();
        this.template = model.chatTemplate();
    }

    /** A prompt's tokens in two parts. */
    public static final class Tokens {
        private final int[] text;
        private final int[] question;

        Tokens(int[] text, int[] question) {
            this.text = text;
            this.question = question;
        }

        /** How many there are. */
        public int count() {
            return text.length + question.length;
        }

        /** How many stand before the question. */
        public int textCount() {
            return text.length;
        }

        /** Everything before the question. */
        public int[] text() {
            return text.clone();
        }

        /** The question and what the template writes behind it. */
        public int[] question() {
            return question.clone();
        }

        /** Both parts as one. */
        public int[] all() {
            int[] all = Arrays.copyOf(text, count());
            System.arraycopy(question, 0, all, text.length, question.length);
            return all;
        }
    }

    /** The tokens of a prompt, the template's included. */
    public Tokens encode(Prompt prompt) {
        boolean plain = template.isEmpty() || !prompt.form().template();
        String message = tokenizer.guard(prompt.message());
        String rendered = (plain ? message : render(message))
                + tokenizer.guard(prompt.form().answerBegins());
        int cut = cut(rendered, tokenizer.guard(prompt.question().strip()));
        return new Tokens(
                tokenizer.encodeGuarded(rendered.substring(0, cut), plain),
                tokenizer.encode(
                        rendered.substring(cut),
                        EncodeOptions.of(cut == 0 && plain).withGuarded().after(rendered.substring(0, cut))));
    }

    /** Where the question begins, its leading white space included: the blank before a word belongs to its token. */
    private static int cut(String rendered, String question) {
        int cut = question.isEmpty() ? rendered.length() : Math.max(0, rendered.lastIndexOf(question));
        while (cut > 0 && rendered.charAt(cut - 1) == ' ') {
            cut--;
        }
        return cut;
    }

    private String render(String message) {
        return template.isEmpty()
                ? message
                : template.get().render(List.of(ChatMessage.user(message)), ChatTemplateOptions.defaults());
    }

    /** What the chat template adds to a message, in tokens; 1 without one, for a token that begins every text. */
    public int templateTokens() {
        return template.isEmpty() ? 1 : tokenizer.encodeGuarded(render(""), false).length + 1;
    }

    /**
     * A text without its middle: the tokens of its first and of its last half, each of half the limit (rounded down), written
     * as text one behind the other; the text itself if it is no longer than the limit. This is how LongBench shortens prompts.
     *
     * @param limit most tokens, at least 2
     */
    public String withoutMiddle(String text, int limit) {
        int[] tokens = tokenizer.encodeGuarded(tokenizer.guard(text), false);
        if (tokens.length <= limit) {
            return text;
        }
        int half = limit / 2;
        return tokenizer.decode(Arrays.copyOf(tokens, half), true)
                + tokenizer.decode(Arrays.copyOfRange(tokens, tokens.length - half, tokens.length), true);
    }

    /** Tokens of a piece of text by itself. */
    public int count(String text) {
        return tokenizer.encodeGuarded(tokenizer.guard(text), false).length;
    }
}
