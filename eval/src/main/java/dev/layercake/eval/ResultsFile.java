package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.SequencedSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;

/**
 * The outcomes of an evaluation on disk: a folder with {@code setup.json} and {@code results.jsonl}, one line per outcome,
 * written as soon as it is known. Opened again, it knows what is finished. A last line that was cut off is dropped; results
 * of another setup are refused.
 *
 * @param <T> a record that is a line
 */
public final class ResultsFile<T extends ResultsFile.Line> implements AutoCloseable {
    static final String SETUP = "setup.json";
    static final String RESULTS = "results.jsonl";

    private final Map<Key, T> outcomes = new LinkedHashMap<>();
    private final FileChannel channel;
    private final Class<T> type;

    private ResultsFile(FileChannel channel, Class<T> type) {
        this.channel = channel;
        this.type = type;
    }

    /** What one contender made of one sample. */
    public interface Line {
        /** Which outcome this is; another one of the same key replaces it. */
        Key key();
    }

    /**
     * Which sample under which contender.
     *
     * @param sample id
     * @param policy of the contender
     * @param budget its label
     * @param files digests of what the files of its spec hold; empty if it names none
     */
    public record Key(String sample, String policy, String budget, String files) {
        static Key of(String sample, Contender contender) {
            return new Key(sample, contender.policy(), contender.budget().label(), contender.files());
        }
    }

    /**
     * Opens a folder, or makes it.
     *
     * @param setup what all results in the folder share
     * @param type of its lines
     * @throws LayercakeException (bad input) if the folder holds results of another setup, is in use, or cannot be written
     */
    public static <T extends Line> ResultsFile<T> open(Path folder, SequencedMap<String, String> setup, Class<T> type) {
        FileChannel channel = null;
        try {
            Files.createDirectories(folder);
            Path results = folder.resolve(RESULTS);
            channel = FileChannel.open(
                    results, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            requireAlone(channel, folder);
            requireSameSetup(folder, setup, channel.size() > 0);
            ResultsFile<T> file = new ResultsFile<>(channel, type);
            file.read(results);
            return file;
        } catch (IOException e) {
            close(channel);
            throw LayercakeException.badInput(
                    "Results cannot be kept in " + folder + " (" + e + "); give another folder with --out.", e);
        } catch (RuntimeException e) {
            close(channel);
            throw e;
        }
    }

    private static void requireAlone(FileChannel channel, Path folder) throws IOException {
        boolean alone;
        try {
            alone = channel.tryLock() != null;
        } catch (java.nio.channels.OverlappingFileLockException inThisProcess) {
            alone = false;
        }
        if (!alone) {
            throw LayercakeException.badInput("Another evaluation is writing to " + folder
                    + " right now; wait for its end, or give another folder with --out.");
        }
    }

    private static void requireSameSetup(Path folder, SequencedMap<String, String> setup, boolean hasResults)
            throws IOException {
        Path file = folder.resolve(SETUP);
        if (hasResults) {
            Map<String, String> before = readSetup(file);
            SequencedSet<String> keys = new LinkedHashSet<>(setup.keySet());
            keys.addAll(before.keySet());
            for (String key : keys) {
                String now = setup.getOrDefault(key, "not given");
                String then = before.getOrDefault(key, "not given");
                if (!now.equals(then)) {
                    throw LayercakeException.badInput("The folder " + folder + " holds results of another setup (" + key
                            + " was " + then + " and is now " + now
                            + "); give another folder with --out, or the same options as before.");
                }
            }
        }
        replace(file, (Json.pretty(setup) + "\n").getBytes(StandardCharsets.UTF_8));
    }

    /** Gives a file another content, all at once; one that has it already stays as it is. */
    private static void replace(Path file, byte[] content) throws IOException {
        if (Files.exists(file) && Arrays.equals(Files.readAllBytes(file), content)) {
            return;
        }
        Path written = file.resolveSibling(file.getFileName() + ".partial");
        Files.write(written, content);
        Files.move(written, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    private static Map<String, String> readSetup(Path file) throws IOException {
        try {
            return Files.exists(file)
                    ? Json.MAPPER.readValue(
                            Files.readString(file), new TypeReference<LinkedHashMap<String, String>>() {})
                    : Map.of();
        } catch (JacksonException e) {
            throw LayercakeException.badInput(
                    file + " is damaged, so it is unknown what the results beside it mean; give another --out.", e);
        }
    }

    private void read(Path path) throws IOException {
        CompleteLines complete = CompleteLines.of(path);
        List<String> lines = complete.lines();
        for (int index = 0; index < lines.size(); index++) {
            T outcome = parse(lines.get(index));
            if (outcome == null) {
                throw LayercakeException.badInput(path + ", line " + (index + 1)
                        + ", is damaged; delete this line, its sample is then run again.");
            }
            outcomes.put(outcome.key(), outcome);
        }
        channel.truncate(complete.bytes());
        channel.position(complete.bytes());
    }

    private @Nullable T parse(String line) {
        try {
            T outcome = Json.MAPPER.readValue(line, type);
            Objects.requireNonNull(outcome.key().sample());
            return outcome;
        } catch (JacksonException | NullPointerException e) {
            return null;
        }
    }

    /** Whether this sample has been put to this contender. */
    public synchronized boolean has(String sample, Contender contender) {
        return outcomes.containsKey(Key.of(sample, contender));
    }

    /** Adds a line; it is in the file when this returns. */
    public synchronized void add(T outcome) {
        byte[] line = (Json.MAPPER.writeValueAsString(outcome) + "\n").getBytes(StandardCharsets.UTF_8);
        try {
            ByteBuffer bytes = ByteBuffer.wrap(line);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw LayercakeException.overCapacity("The results cannot be written (" + e.getMessage()
                    + "); make room and run the same command again, it goes on where it stopped.");
        }
        outcomes.put(outcome.key(), outcome);
    }

    /** All outcomes, in the order of the file. */
    public synchronized List<T> outcomes() {
        return List.copyOf(outcomes.values());
    }

    /** Those of some samples under some contenders. */
    public synchronized List<T> outcomes(List<String> samples, List<Contender> contenders) {
        List<T> found = new ArrayList<>();
        for (String sample : samples) {
            for (Contender contender : contenders) {
                T outcome = outcomes.get(Key.of(sample, contender));
                if (outcome != null) {
                    found.add(outcome);
                }
            }
        }
        return found;
    }

    private static void close(@Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            throw LayercakeException.internal("closing the results failed", e);
        }
    }

    @Override
    public void close() {
        close(channel);
    }
}
