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
        String rendered = render(tokenizer.guard(prompt.message()));
        String question = tokenizer.guard(prompt.question().strip());
        int cut = rendered.lastIndexOf(question);
        // The space before a word belongs to its token.
        while (cut > 0 && rendered.charAt(cut - 1) == ' ') {
            cut--;
        }
        boolean plain = template.isEmpty();
        return new Tokens(
                tokenizer.encodeGuarded(rendered.substring(0, Math.max(0, cut)), plain),
                tokenizer.encode(
                        rendered.substring(Math.max(0, cut)),
                        EncodeOptions.of(false).withGuarded().after(rendered.substring(0, Math.max(0, cut)))));
    }

    private String render(String message) {
        return template.isEmpty()
                ? message
                : template.get().render(List.of(ChatMessage.user(message)), ChatTemplateOptions.defaults());
    }

    /** Tokens of a piece of text by itself. */
    public int count(String text) {
        return tokenizer.encodeGuarded(tokenizer.guard(text), false).length;
    }
}
