package dev.layercake.kv;

import dev.layercake.kv.policy.HeadProfile;
import dev.layercake.kv.policy.HeadProfile.Measure;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Profiles with random numbers, for tests: a spec names one as {@code value.profile} or {@code duo.profile}. */
public final class ToyProfiles {
    private ToyProfiles() {}

    /** A profile whose numbers depend on its shape alone. */
    public static HeadProfile of(Measure measure, int layers, int kvHeads) {
        Random random = new Random(layers * 100L + kvHeads);
        List<List<Double>> heads = new ArrayList<>();
        List<Double> blocks = new ArrayList<>();
        for (int layer = 0; layer < layers; layer++) {
            List<Double> numbers = new ArrayList<>();
            for (int head = 0; head < kvHeads; head++) {
                numbers.add(random.nextDouble());
            }
            heads.add(numbers);
            blocks.add(random.nextDouble());
        }
        return new HeadProfile(
                "toy", "0123abcd", 2, measure, heads, blocks, 3, 64, "random numbers", "2026-11-22", List.of());
    }

    /** The policy of a spec, with profiles for a cache of a layout. */
    static KvPolicy policy(String spec, KvLayout layout) {
        return Policies.parse(with(spec, layout.layers(), layout.kvHeads()));
    }

    /** A spec with the paths of real files in it. */
    public static String with(String spec, int layers, int kvHeads) {
        String found = spec;
        for (Measure measure : Measure.values()) {
            String name = measure.label() + ".profile";
            if (found.contains(name)) {
                found = found.replace(name, '"' + file(measure, layers, kvHeads).toString() + '"');
            }
        }
        return found;
    }

    private static Path file(Measure measure, int layers, int kvHeads) {
        Path file = Path.of(System.getProperty("java.io.tmpdir"))
                .resolve("layercake-toy-" + ProcessHandle.current().pid() + "-" + measure.label() + "-" + layers + "x"
                        + kvHeads + ".json");
        if (!Files.exists(file)) {
            of(measure, layers, kvHeads).write(file);
            file.toFile().deleteOnExit();
        }
        return file;
    }
}
