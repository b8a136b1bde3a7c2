package dev.layercake.kv.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.ToyProfiles;
import dev.layercake.kv.policy.HeadProfile.Measure;
import dev.layercake.kv.policy.HeadProfile.Setting;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Profiles on disk, sound and otherwise, and what policies make of them. */
final class HeadProfileTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private Path write(HeadProfile profile) {
        Path file = folder.resolve("with blank.json");
        profile.write(file);
        return file;
    }

    @Test
    void readsWhatItWrote() {
        HeadProfile profile = ToyProfiles.of(Measure.VALUE, 3, 2)
                .with(new Setting(64, "snapkv", HeadDivision.power(2, 0.5), 1.25, 1.5))
                .with(new Setting(64, "streaming", HeadDivision.twoLevel(0.25, 2), 2.25, 2.5))
                .with(new Setting(64, "snapkv", HeadDivision.power(0.5, 0.1), 1.0, 1.5));
        assertThat(profile.settings()).hasSize(2);
        Path file = write(profile);
        assertThat(HeadProfile.read(file)).isEqualTo(profile);
    }

    @Test
    void theSpecTakesWhatTheSearchChose() {
        HeadProfile profile = ToyProfiles.of(Measure.VALUE, 3, 2)
                .with(new Setting(64, "snapkv", HeadDivision.power(2, 0.5), 1, 1))
                .with(new Setting(1024, "snapkv", HeadDivision.twoLevel(0.5, 1.5), 1, 1));
        String path = '"' + write(profile).toString() + '"';
        assertThat(Policies.parse("baklava(budget=200,profile=" + path + ")"))
                .hasToString("baklava(profile=" + path
                        + ",budget=200,tokens=snapkv,window=32,rule=power,power=2,least=0.5)");
        assertThat(Policies.parse("baklava(budget=300,profile=" + path + ")").spec())
                .endsWith(",rule=twolevel,share=0.5,factor=1.5)");
        assertThat(Policies.parse("baklava(budget=300,tokens=streaming,profile=" + path + ")")
                        .spec())
                .endsWith(",tokens=streaming,sinks=4,rule=power,power=1,least=0.25)");
        assertThat(Policies.parse("baklava(budget=300,factor=3,profile=" + path + ")")
                        .spec())
                .endsWith(",rule=twolevel,share=0.25,factor=3)");
        KvPolicy policy = Policies.parse("snapkv(budget=300)+baklava(power=1,profile=" + path + ")");
        assertThat(policy.name()).isEqualTo("snapkv+baklava");
        assertThat(Policies.parse(policy.spec())).isEqualTo(policy);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            baklava(profile=P,power=1,factor=2) | power means nothing with rule=twolevel; leave one of them out.
            baklava(profile=P,rule=power,share=0.5) | share means nothing with rule=power; leave one of them out.
            baklava(profile=P,share=0.5,factor=2) | share=0.5 of the heads with factor=2 times the average take all there is; make their product less than 1.
            baklava(profile=P,tokens=streaming,budget=4) | budget=4 does not hold sinks=4; the budget counts them too, so make it at least 5 or lower sinks.
            full+baklava(profile=P) | there is no budget to divide in full; put it after another policy.
            pyramidkv+baklava(profile=P) | it gives every layer its part, and so does pyramidkv; put it after snapkv.
            snapkv+every(ratio=0.5)+baklava(profile=P) | it divides a budget, but snapkv+every has made it a share of the text; put it before +every.
            tova+baklava(profile=P) | tova keeps the same tokens in all heads of a layer, so they cannot have different budgets; put it after another policy.
            snapkv+ada+baklava(profile=P) | the heads' budgets are divided already in snapkv+ada; divide them once.
            streaming+baklava(profile=P) | first and recent tokens go by tokens=streaming; write baklava(tokens=streaming).
            """)
    void senselessCombinations(String spec, String message) {
        String path = '"' + write(ToyProfiles.of(Measure.VALUE, 3, 2)).toString() + '"';
        assertThatThrownBy(() -> Policies.parse(spec.replace("profile=P", "profile=" + path)))
                .isInstanceOf(LayercakeException.class)
                .hasMessage("Policy baklava: " + message);
    }

    @Test
    void theMeasureMustFit() {
        Path file = write(ToyProfiles.of(Measure.VALUE, 3, 2));
        assertThatThrownBy(() -> Policies.parse("duo(profile=\"" + file + "\")"))
                .hasMessage("Policy duo: the profile " + file
                        + " holds the measure value, not duo; make one with layercake profile --measure duo.");
    }

    @Test
    void anotherModelIsRefused() {
        HeadProfile profile = ToyProfiles.of(Measure.VALUE, 3, 2);
        profile.requireShape(3, 2);
        profile.requireFingerprint("0123abcd");
        assertThatThrownBy(() -> profile.requireShape(4, 2))
                .isInstanceOf(LayercakeException.class)
                .hasMessage("The profile was made for toy, which has 3 layers of 2 KV heads, but this model has 4 of 2;"
                        + " make one for this model with layercake profile.");
        assertThatThrownBy(() -> profile.requireFingerprint("ffffffff"))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("other weights (toy, fingerprint 0123abcd)");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            "layers" : 3 | "layers" : 4 | imp is no list of 4
            "layers" : 3 | "layers" : -3 | layers is -3
            "layers" : 3 | "layers" : 1000000000000 | layers is no whole number
            "layers" : 3 | "layers" : "3" | layers is no whole number
            "kvHeads" : 2 | "kvHeads" : 3 | imp holds no list of 3 numbers
            "measure" : "value" | "measure" : "x" | measure is unknown
            "impLayer" | "imp" | it is not valid JSON
            "imp" | "impp" | imp is no list of 3
            "model" : "toy" | "model" : 5 | model is no line of text
            "settings" : [ ] | "settings" : [{}] | rule is no line of text
            "settings" : [ ] | "settings" : [{"rule":"twolevel","share":0.5,"factor":2}] | a setting divides more than the whole budget
            """)
    void damagedFilesAreOneSentence(String from, String to, String why) throws IOException {
        Path file = write(ToyProfiles.of(Measure.VALUE, 3, 2));
        String text = Files.readString(file);
        assertThat(text).contains(from);
        Files.writeString(file, text.replace(from, to));
        assertThatThrownBy(() -> HeadProfile.read(file))
                .isInstanceOf(LayercakeException.class)
                .hasMessage(
                        "The profile " + file + " cannot be used: " + why + "; make it again with layercake profile.");
    }

    @Test
    void hostileFilesAreRefusedOnPurpose() throws IOException {
        HeadProfile profile = ToyProfiles.of(Measure.VALUE, 3, 2)
                .with(new Setting(64, "snapkv", HeadDivision.power(2, 0.5), 1.25, 1.5));
        Path file = write(profile);
        byte[] sound = Files.readAllBytes(file);
        Random random = new Random(1);
        for (int run = 0; run < 2000; run++) {
            byte[] bytes = sound.clone();
            if (run % 2 == 0) {
                bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
            } else {
                for (int i = 0; i < 1 + run % 5; i++) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
                }
            }
            Files.write(file, bytes);
            try {
                HeadProfile read = HeadProfile.read(file);
                assertThat(read.layers()).isEqualTo(3);
                assertThat(Arrays.stream(read.all()).allMatch(value -> value >= 0 && value <= 2))
                        .isTrue();
            } catch (LayercakeException expected) {
                assertThat(expected).hasMessageContaining(file.toString());
            }
        }
        Files.writeString(file, "[".repeat(100_000), StandardCharsets.UTF_8);
        assertThatThrownBy(() -> HeadProfile.read(file)).isInstanceOf(LayercakeException.class);
        assertThatThrownBy(() -> HeadProfile.read(folder)).isInstanceOf(LayercakeException.class);
    }
}
