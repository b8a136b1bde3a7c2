package dev.layercake.eval;

import dev.layercake.engine.LanguageModel;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/** Texts to calibrate a model on, and others, held out, to judge what came of it. */
public interface CalibrationText {
    /** Changes with every text; one line, for people too. */
    String identity();

    /** The tokens of a text for calibration; the same index gives the same text. */
    int[] prompt(int index);

    /** A text that is used for nothing else. */
    HeldOutText heldOut(int index);

    /**
     * Tasks of all families, made here; the continuation of a held-out one is its answer.
     *
     * @param tokens of a text
     * @throws LayercakeException (bad input) if a family has no room in so few
     */
    static CalibrationText generated(LanguageModel language, int tokens, long seed) {
        return new GeneratedTasks(language, tokens, seed);
    }

    /**
     * Pieces of text files, evenly spread: the first three quarters for calibration, the others held out. The continuation
     * of a held-out one is its last quarter, at most 128 tokens.
     *
     * @param path a text file, or a folder with files named {@code *.txt}
     * @param pieces how many are taken for calibration
     * @param heldOut how many are held out
     * @throws LayercakeException (bad input) if it cannot be read, or holds too little
     */
    static CalibrationText files(LanguageModel language, Path path, int tokens, int pieces, int heldOut) {
        return new TextFiles(language, path, tokens, pieces, heldOut);
    }

    /** See {@link #generated}. */
    final class GeneratedTasks implements CalibrationText {
        private static final int MOST = 100_000;

        private final Tokenizer tokenizer;
        private final PromptEncoder encoder;
        private final Evaluation calibration;
        private final Evaluation others;

        private GeneratedTasks(LanguageModel language, int tokens, long seed) {
            this.tokenizer = language.model().tokenizer();
            this.encoder = new PromptEncoder(language.model());
            this.calibration = tasks(tokens, seed);
            // Another seed makes other texts of the same kinds.
            this.others = tasks(tokens, ~seed);
        }

        private Evaluation tasks(int tokens, long seed) {
            List<TaskFamily> families = Arrays.asList(TaskFamily.values());
            SyntheticTasks.Options options = SyntheticTasks.Options.of(MOST / families.size(), seed);
            return new SyntheticTasks(encoder, options).families(families, List.of(tokens));
        }

        @Override
        public String identity() {
            Map<String, String> setup = calibration.setup();
            return "generated tasks, "
                    + setup.entrySet().stream()
                            .filter(entry ->
                                    List.of("seed", "haystack", "language").contains(entry.getKey()))
                            .map(entry -> entry.getKey() + " " + entry.getValue())
                            .collect(Collectors.joining(", "));
        }

        @Override
        public int[] prompt(int index) {
            HeldOutText text = text(calibration.samples().get(index));
            int[] all = Arrays.copyOf(text.prompt(), text.tokens());
            System.arraycopy(text.continuation(), 0, all, text.prompt().length, text.continuation().length);
            return all;
        }

        @Override
        public HeldOutText heldOut(int index) {
            return text(others.samples().get(index));
        }

        private HeldOutText text(Sample sample) {
            int[] answer = tokenizer.encodeGuarded(tokenizer.guard(sample.answer()), false);
            return new HeldOutText(encoder.encode(sample.prompt()).all(), answer);
        }
    }

    /** See {@link #files}. */
    final class TextFiles implements CalibrationText {
        private static final long LARGEST_BYTES = 256L << 20;
        private static final int LONGEST_CONTINUATION = 128;

        private final String identity;
        private final int[] all;
        private final int tokens;
        private final int pieces;
        private final int heldOutPieces;

        private TextFiles(LanguageModel language, Path path, int tokens, int pieces, int heldOutPieces) {
            StringBuilder text = new StringBuilder();
            for (Path file : files(path)) {
                text.append(read(file)).append('\n');
            }
            CRC32 content = new CRC32();
            content.update(text.toString().getBytes(StandardCharsets.UTF_8));
            this.identity = path.toAbsolutePath().normalize().getFileName()
                    + String.format(Locale.ROOT, " %08x", content.getValue());
            Tokenizer tokenizer = language.model().tokenizer();
            this.all = tokenizer.encodeGuarded(tokenizer.guard(text.toString()), true);
            this.tokens = tokens;
            this.pieces = pieces;
            this.heldOutPieces = heldOutPieces;
            if (room(0, pieces) < 0 || room(split(), heldOutPieces) < 0) {
                throw LayercakeException.badInput("The text " + path + " has " + all.length
                        + " tokens, too few for pieces of " + tokens
                        + " tokens; give more text with --text, or lower --tokens.");
            }
        }

        private static List<Path> files(Path path) {
            if (Files.isRegularFile(path)) {
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
                throw LayercakeException.badInput(
                        "The text " + path + " cannot be read; check the path given with --text.", e);
            }
            throw LayercakeException.badInput(
                    "The folder " + path + " holds no files named *.txt; give another one with --text.");
        }

        private static String read(Path file) {
            try {
                if (Files.size(file) > LARGEST_BYTES) {
                    throw LayercakeException.badInput("The file " + file + " is larger than " + (LARGEST_BYTES >> 20)
                            + " MiB; give a smaller one with --text.");
                }
                return Files.readString(file);
            } catch (IOException e) {
                throw LayercakeException.badInput("The file " + file + " cannot be read as UTF-8 text.", e);
            }
        }

        private int split() {
            return (int) (all.length * 3L / 4);
        }

        /** Tokens by which the first of evenly spread pieces may be shifted; negative if a piece does not fit. */
        private int room(int from, int count) {
            int end = from == 0 ? split() : all.length;
            return count == 0 ? 0 : end - from - tokens;
        }

        private int[] piece(int from, int index, int count) {
            int first = from + (count == 1 ? 0 : (int) ((long) room(from, count) * index / (count - 1)));
            return Arrays.copyOfRange(all, first, first + tokens);
        }

        @Override
        public String identity() {
            return identity;
        }

        @Override
        public int[] prompt(int index) {
            return piece(0, index, pieces);
        }

        @Override
        public HeldOutText heldOut(int index) {
            int[] piece = piece(split(), index, heldOutPieces);
            int read = Math.max(1, tokens - Math.min(LONGEST_CONTINUATION, Math.max(1, tokens / 4)));
            return new HeldOutText(Arrays.copyOf(piece, read), Arrays.copyOfRange(piece, read, piece.length));
        }
    }
}
