package dev.layercake.eval;

/**
 * A text and a question about it.
 *
 * @param text what is read
 * @param question stands behind the text
 * @param askedBefore whether the question stands before the text as well
 * @param form how the model gets to see them
 */
public record Prompt(String text, String question, boolean askedBefore, Form form) {
    /**
     * How a prompt is put to a model.
     *
     * @param verbatim whether blanks at the ends of text and question stay; without, both begin with a blank that is taken off
     * @param template whether it is a message, written as the model's chat template has it, or plain text
     * @param answerBegins what the answer begins with, behind all that the template writes; the model goes on from there
     */
    public record Form(boolean verbatim, boolean template, String answerBegins) {
        /** One message, blanks at its ends apart. */
        public static final Form MESSAGE = new Form(false, true, "");

        /** One message, to the letter. */
        public static final Form VERBATIM = new Form(true, true, "");

        /** A text to be continued, to the letter. */
        public static final Form PLAIN = new Form(true, false, "");

        /** The same where the answer begins with something given. */
        public Form answering(String begin) {
            return new Form(verbatim, template, begin);
        }
    }

    /** One message; text and question begin with a blank. */
    public Prompt(String text, String question, boolean askedBefore) {
        this(text, question, askedBefore, Form.MESSAGE);
    }

    /** The whole message. */
    public String message() {
        String whole = askedBefore ? question + text + question : text + question;
        return form.verbatim() ? whole : whole.strip();
    }
}
