package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * What is known of a profile that is not finished: a file beside it, a line for its settings and one for each prompt
 * measured and each division judged, written at once. A last line that was cut off is dropped.
 */
final class ProfileJournal {
    /** What a calibration found on one text. */
    record Measured(int prompt, List<List<Double>> imp, List<Double> impLayer) {}

    /** What a search found: the loss under a spec. */
    record Judged(String spec, double loss) {}

    /** One line; one of the two, or the settings on the first. */
    private record Line(
            @Nullable Map<String, String> setup,
            @Nullable Measured measured,
            @Nullable Judged judged) {}

    private final Path file;
    private final Map<Integer, Measured> measured = new LinkedHashMap<>();
    private final Map<String, Judged> judged = new LinkedHashMap<>();

    private ProfileJournal(Path file) {
        this.file = file;
    }

    /**
     * Opens the journal of a profile, or begins it.
     *
     * @throws LayercakeException (bad input) if it was begun with other settings, is damaged or cannot be written
     */
    static ProfileJournal open(Path profile, Map<String, String> setup) {
        Path file = profile.resolveSibling(profile.getFileName() + ".partial");
        ProfileJournal journal = new ProfileJournal(file);
        try {
            List<Line> lines = Files.exists(file) ? lines(file) : List.of();
            if (lines.isEmpty()) {
                Path folder = file.toAbsolutePath().getParent();
                if (folder != null) {
                    Files.createDirectories(folder);
                }
                Files.deleteIfExists(file);
                journal.append(new Line(setup, null, null));
            } else {
                journal.requireSame(
                        setup, Optional.ofNullable(lines.getFirst().setup()).orElse(Map.of()));
                lines.forEach(journal::take);
            }
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The beginning of the profile cannot be kept in " + file + " (" + e + "); give another --out.", e);
        }
        return journal;
    }

    private static List<Line> lines(Path file) throws IOException {
        CompleteLines complete = CompleteLines.of(file);
        if (complete.bytes() < Files.size(file)) {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.truncate(complete.bytes());
            }
        }
        List<Line> lines = new ArrayList<>();
        for (String line : complete.lines()) {
            try {
                lines.add(Json.MAPPER.readValue(line, Line.class));
            } catch (JacksonException e) {
                throw LayercakeException.badInput(
                        file + ", line " + (lines.size() + 1) + ", is damaged; delete the file and begin again.", e);
            }
        }
        return lines;
    }

    private void requireSame(Map<String, String> setup, Map<String, String> before) {
        for (Map.Entry<String, String> entry : setup.entrySet()) {
            String then = before.getOrDefault(entry.getKey(), "not given");
            if (!then.equals(entry.getValue())) {
                throw LayercakeException.badInput(file + " holds the beginning of a profile with other settings ("
                        + entry.getKey() + " was " + then + " and is now " + entry.getValue()
                        + "); give the same options as before, delete it, or give another --out.");
            }
        }
    }

    private void take(Line line) {
        Measured prompt = line.measured();
        if (prompt != null) {
            measured.put(prompt.prompt(), prompt);
        }
        Judged division = line.judged();
        if (division != null) {
            judged.put(division.spec(), division);
        }
    }

    Optional<Measured> measured(int prompt) {
        return Optional.ofNullable(measured.get(prompt));
    }

    Optional<Judged> judged(String spec) {
        return Optional.ofNullable(judged.get(spec));
    }

    void add(Measured prompt) {
        append(new Line(null, prompt, null));
        measured.put(prompt.prompt(), prompt);
    }

    void add(Judged division) {
        append(new Line(null, null, division));
        judged.put(division.spec(), division);
    }

    private void append(Line line) {
        try {
            Files.writeString(
                    file,
                    Json.MAPPER.writeValueAsString(line) + "\n",
                    StandardCharsets.UTF_8,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw LayercakeException.overCapacity("The profile's progress cannot be written to " + file + " ("
                    + e.getMessage() + "); make room and run the same command again, it goes on where it stopped.");
        }
    }

    /** The profile is finished: forgets how it came about. */
    void delete() {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw LayercakeException.badInput("The file " + file + " cannot be deleted; delete it by hand.", e);
        }
    }
}
