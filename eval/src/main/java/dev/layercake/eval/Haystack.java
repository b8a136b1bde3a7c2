package dev.layercake.eval;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Prose to hide things in: that of a folder with text files, or made here. */
public final class Haystack {
    private final Prose prose;

    private Haystack(Prose prose) {
        this.prose = prose;
    }

    /**
     * Opens it.
     *
     * @param folder with files named {@code *.txt}; null for prose that is made here
     * @throws dev.layercake.kernels.LayercakeException (bad input) if the folder holds too little
     */
    public static Haystack of(@Nullable Path folder) {
        return new Haystack(folder == null ? new Chronicle(Language.load(false)) : Library.of(folder));
    }

    /** What the text is, the same for the same text only. */
    public String identity() {
        return prose.identity();
    }

    /** Sentences from a place that the seed chooses, without blanks at their ends. */
    public List<String> sentences(long seed, int count) {
        Prose.Sentences source = prose.begin(new SplittableRandom(seed));
        List<String> sentences = new ArrayList<>();
        while (sentences.size() < count) {
            sentences.add(source.next().strip());
        }
        return sentences;
    }
}
