package dev.layercake.model.tokenizer;

/** Told how far the cutting of a text into tokens is, some sixty times a million characters. */
@FunctionalInterface
public interface TokenizeProgress {
    TokenizeProgress NONE = (done, all) -> true;

    /**
     * A further part has been cut.
     *
     * @param done characters that have been cut, about
     * @param all characters of the text
     * @return whether to go on; otherwise the cutting ends with {@link java.util.concurrent.CancellationException}
     */
    boolean proceed(long done, long all);
}
