package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/**
 * Takes passages out of texts. One that was taken is known by its file, what the file holds and where it begins, so that more of
 * them, or more files, leave those before them as they are.
 *
 * @param prompt tokens to read
 * @param continuation tokens that follow
 */
public record Excerpts(Tokenizer tokenizer, int prompt, int continuation) {
    /** No token stands for more characters on average, in a text that anybody wrote. */
    private static final int CHARACTERS = 8;

    public Excerpts {
        if (prompt < 1 || continuation < 1) {
            throw new IllegalArgumentException(prompt + " tokens, continued by " + continuation);
        }
    }

    /**
     * From text files, in turn; evenly spread over each, from its beginning on, each from the beginning of a line.
     *
     * @param paths text files, or folders with files named {@code *.txt}
     * @throws LayercakeException (bad input) if one cannot be read, or holds too little
     */
    public List<Excerpt> of(List<Path> paths, int count) {
        List<Path> files = paths.stream().flatMap(path -> files(path).stream()).toList();
        List<Excerpt> excerpts = new ArrayList<>();
        for (int index = 0; index < Math.min(count, files.size()); index++) {
            int own = count / files.size() + (index < count % files.size() ? 1 : 0);
            add(excerpts, files.get(index), own);
        }
        return List.copyOf(excerpts);
    }

    /** Of prose that is made here, each from its own random numbers. */
    public List<Excerpt> generated(long seed, int count) {
        Prose prose = new Chronicle(Language.load(false));
        List<Excerpt> excerpts = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            Prose.Sentences sentences = prose.begin(new SplittableRandom(seed * 1_000_003 + index));
            StringBuilder text = new StringBuilder();
            int[] tokens;
            long characters = 0;
            do {
                characters += (long) (prompt + continuation) * CHARACTERS;
                while (text.length() < characters) {
                    text.append(sentences.next());
                }
                tokens = encode(text.toString());
            } while (tokens.length < prompt + continuation);
            excerpts.add(new Excerpt("generated " + seed + "@" + index, cut(tokens)));
        }
        return List.copyOf(excerpts);
    }

    private void add(List<Excerpt> excerpts, Path file, int count) {
        String text = read(file);
        CRC32 content = new CRC32();
        content.update(text.getBytes(StandardCharsets.UTF_8));
        String name = file.getFileName() + String.format(Locale.ROOT, " %08x@", content.getValue());
        for (int index = 0; index < count; index++) {
            int start = lineStart(text, (int) ((long) text.length() * index / count));
            int[] tokens = tokensFrom(text, start);
            if (tokens.length < prompt + continuation) {
                throw LayercakeException.badInput("The text " + file + " has only " + tokens.length
                        + " tokens from character " + start + " on, too few for " + prompt + " and " + continuation
                        + "; lower --tokens or --excerpts, or give longer texts with --text.");
            }
            excerpts.add(new Excerpt(name + start, cut(tokens)));
        }
    }

    /** The beginning of the line that follows a place, or the place itself where no line ends. */
    private static int lineStart(String text, int place) {
        int end = place == 0 ? -1 : text.indexOf('\n', place - 1);
        if (place == 0 || end >= 0) {
            return end + 1;
        }
        return Character.isLowSurrogate(text.charAt(place)) ? place - 1 : place;
    }

    /** At least as many tokens as are needed, if the text goes on so long. */
    private int[] tokensFrom(String text, int start) {
        for (long characters = (long) (prompt + continuation) * CHARACTERS; ; characters *= 2) {
            int end = (int) Math.min(text.length(), start + characters);
            // The last tokens of a part may be others than those of the whole, hence the spare ones.
            int[] tokens = encode(text.substring(start, end));
            if (end == text.length() || tokens.length >= prompt + continuation + CHARACTERS) {
                return tokens;
            }
        }
    }

    private int[] encode(String text) {
        return tokenizer.encodeGuarded(tokenizer.guard(text), true);
    }

    private HeldOutText cut(int[] tokens) {
        return new HeldOutText(
                Arrays.copyOf(tokens, prompt), Arrays.copyOfRange(tokens, prompt, prompt + continuation));
    }

    private static List<Path> files(Path path) {
        if (!Files.isDirectory(path)) {
            return List.of(path);
        }
        try (Stream<Path> files = Files.list(path)) {
            List<Path> texts = files.filter(file -> file.toString().endsWith(".txt"))
                    .sorted()
                    .toList();
            if (!texts.isEmpty()) {
                return texts;
            }
        } catch (IOException e) {
            throw LayercakeException.badInput("The folder " + path + " cannot be read; check --text.", e);
        }
        throw LayercakeException.badInput(
                "The folder " + path + " holds no files named *.txt; give another one with --text.");
    }

    private static String read(Path file) {
        try {
            String text = Files.readString(file);
            return text.startsWith("\uFEFF") ? text.substring(1) : text;
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The file " + file + " cannot be read as UTF-8 text; check the path given with --text.", e);
        }
    }
}
