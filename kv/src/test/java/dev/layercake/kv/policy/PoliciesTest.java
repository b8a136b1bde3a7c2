package dev.layercake.kv.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.ToyProfiles;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The spec string: what it means, what it is rewritten to, and what is said when it is wrong. */
class PoliciesTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            full | full
            full() | full
            cake | cake(budget=1024,window=32,gamma=200,pool=avg,kernel=5,allocation=waterfill,order=position,cascading=true,tau1=1,tau2=1)
            ' cake ( window = 8 , budget = 64 ) ' | cake(budget=64,window=8,gamma=200,pool=avg,kernel=5,allocation=waterfill,order=position,cascading=true,tau1=1,tau2=1)
            cake(preset=llama-3.1-8b) | cake(budget=1024,window=32,gamma=200,pool=avg,kernel=5,allocation=waterfill,order=position,cascading=true,tau1=1.6,tau2=0.4)
            cake(preset=llama-3.1-8b,budget=362) | cake(budget=362,window=32,gamma=200,pool=avg,kernel=5,allocation=waterfill,order=position,cascading=true,tau1=1.6,tau2=0.6)
            cake(preset=llama-3.1-8b,budget=363) | cake(budget=363,window=32,gamma=200,pool=avg,kernel=5,allocation=waterfill,order=position,cascading=true,tau1=1.6,tau2=0.4)
            cake(preset=qwen-2.5-7b,tau1=2) | cake(budget=1024,window=32,gamma=200,pool=avg,kernel=5,allocation=waterfill,order=position,cascading=true,tau1=2,tau2=0.6)
            cake(gamma=0.50,allocation=official,order=official,cascading=false) | cake(budget=1024,window=32,gamma=0.5,pool=avg,kernel=5,allocation=official,order=official,cascading=false,tau1=1,tau2=1)
            snapkv(budget=64) | snapkv(budget=64,window=32,pool=avg,kernel=5,reduce=mean,reducefirst=false)
            snapkv(pool=max) | snapkv(budget=1024,window=32,pool=max,kernel=7,reduce=mean,reducefirst=false)
            streaming(budget=00512) | streaming(budget=512,sinks=4)
            random(seed=7,budget=32) | random(budget=32,window=32,seed=7)
            sagekv(budget=65) | sagekv(budget=65,sinks=4,recent=30,group=probability)
            h2o(budget=65) | h2o(budget=65,recent=32,reduce=mean,counting=true)
            streaming(positions=original) | streaming(budget=1024,sinks=4)
            streaming(positions=slot) | streaming(budget=1024,sinks=4,positions=slot)
            expected(budget=99) | expected(budget=99,sinks=4,window=0,future=512,epsilon=0,covariance=true,valuenorm=true)
            lagkv+ada(rounding=floor)+critical | lagkv(budget=1024,sinks=4,lag=128,cross=false)+ada(alpha=0.2,normalize=false,rounding=floor)+critical(first=0.5,epsilon=0.0001)
            snapkv + chunks + rerotate | snapkv(budget=1024,window=32,pool=avg,kernel=5,reduce=mean,reducefirst=false)+chunks(length=20)+rerotate
            mikv | mikv(ratio=0.2,bits=2,high=kv,balance=true)
            specache(slow=ram,fetch=0) | specache(bits=2,fetch=0,residual=64,group=32,slow=ram)
            mikv(bits=3,ratio=.250,high=int8) | mikv(ratio=0.25,bits=3,high=int8,balance=true)
            h2o(budget=65)+lowbit(bits=4) | h2o(budget=65,recent=32,reduce=mean,counting=true)+lowbit(bits=4,high=kv,balance=true,fetch=0)
            gate(weights=a/b.safetensors) | gate(weights=a/b.safetensors,sinks=0,recent=0)
            gate(weights=" a (1)+b, c ",threshold=0.50) | gate(weights=" a (1)+b, c ",threshold=0.5,sinks=0,recent=0)
            gate(weights="C:\\gates\\w") | gate(weights=C:\\gates\\w,sinks=0,recent=0)
            knorm + ada(alpha=0.50) | knorm(budget=1024,window=0)+ada(alpha=0.5,normalize=false,rounding=exact)
            """)
    void canonicalSpec(String text, String canonical) {
        KvPolicy policy = Policies.parse(text);
        assertThat(policy).hasToString(canonical);
        assertThat(Policies.parse(canonical)).isEqualTo(policy);
        assertThat(canonical).startsWith(policy.name().replaceFirst("\\+.*", ""));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            cake(budgt=5) | Policy cake has no budgt; did you mean budget? It takes budget, window, gamma, pool, kernel, allocation, order, cascading, tau1, tau2, preset.
            full(budget=5) | Policy full has no budget; it takes no settings.
            cake(budget=0) | Policy cake: budget=0 is not possible; it must be a whole number from 1 to 16777216.
            cake(budget=99999999999999999999) | Policy cake: budget=99999999999999999999 is not possible; it must be a whole number from 1 to 16777216.
            cake(budget=1.5) | Policy cake: budget=1.5 is not possible; it must be a whole number from 1 to 16777216.
            cake(gamma=-1) | Policy cake: gamma=-1 is not possible; it must be a number from 0 to 1000000.
            cake(gamma=NaN) | Policy cake: gamma=NaN is not possible; it must be a number from 0 to 1000000.
            cake(tau1=0) | Policy cake: tau1=0 is not possible; it must be a number from 0.01 to 100.
            cake(allocation=fair) | Policy cake: allocation=fair is not possible; it must be one of waterfill, official.
            cake(budget=16) | Policy cake: budget=16 does not hold window=32; the budget counts them too, so make it at least 32 or lower window.
            snapkv(budget=31) | Policy snapkv: budget=31 does not hold window=32; the budget counts them too, so make it at least 32 or lower window.
            streaming(budget=4) | Policy streaming: budget=4 does not hold sinks=4; the budget counts them too, so make it at least 5 or lower sinks.
            snapkv(kernel=4) | Policy snapkv: kernel=4 is even; it must be odd, 5 for example.
            cake(budget=5,budget=5) | Policy cake: budget is given twice; give it once.
            cake(budget | The policy "cake(budget" cannot be read: expected '=' after budget, found the end of the text; write it like cake(budget=1024,window=32).
            cake(budget=1024 | The policy "cake(budget=1024" cannot be read: expected ',' or ')', found the end of the text; write it like cake(budget=1024,window=32).
            cake(budget=,window=3) | The policy "cake(budget=,window=3)" cannot be read: expected a value for budget, found ',' at character 13; write it like cake(budget=1024,window=32).
            cake(budget=1) x | The policy "cake(budget=1) x" cannot be read: expected the end, found 'x' at character 16; write it like cake(budget=1024,window=32).
            cake budget | The policy "cake budget" cannot be read: expected '(' or the end, found 'b' at character 6; write it like cake(budget=1024,window=32).
            ada | ada changes a policy and is none itself; write it after one, like snapkv+ada.
            full+every | Policy every: there is no budget to keep to in full; put it after another policy.
            expected+every | Policy every: expected judges after the prompt only; put it after a policy that can judge while decoding, such as snapkv.
            knorm+critical | Policy critical: it multiplies scores with what values do to the output, but those of knorm lie below zero, where more becomes less; put it after another policy.
            sagekv(group=logit)+critical | Policy critical: it multiplies scores with what values do to the output, but those of sagekv lie below zero, where more becomes less; put it after another policy.
            keydiff+ada(normalize=true) | Policy ada: normalize=true weighs scores by their sum, but those of keydiff lie below zero; leave it out.
            h2o(reduce=max) | Policy h2o: reduce=max means nothing while attention is counted, which adds up the group; set counting=false or leave it out.
            mikv+chunkwise | Policy chunkwise: what is recent in mikv is a share of the whole text, not of its parts; put it after another policy.
            cake+chunks | Policy chunks: cake goes on dropping single entries while decoding, which leaves passages in pieces; put it after a policy that judges after the prompt only.
            kvzip+lowbit | Policy lowbit: kvzip cuts all layers at once when the text has been repeated, and the low tier takes what one layer after the other leaves; put it after a policy that judges layer by layer.
            h2o+every+every | Policy every: it is given twice; give it once.
            full+ada | Policy ada: there is no budget to divide in full; put it after another policy.
            tova+ada | Policy ada: tova keeps the same tokens in all heads of a layer, so there is nothing to divide; put it after another policy.
            streaming+ada | Policy ada: streaming keeps the same tokens in all heads of a layer, so there is nothing to divide; put it after another policy.
            tova+shared | Policy shared: tova keeps the same tokens in all heads of a layer already; leave it out.
            full+shared | Policy shared: nothing is chosen in full, which keeps all; put it after another policy.
            snapkv+ada+shared | Policy shared: heads that keep the same tokens cannot have budgets of their own, but snapkv+ada divides the budget among them; leave one of them out.
            snapkv+shared+ada | Policy ada: snapkv+shared keeps the same tokens in all heads of a layer, so there is nothing to divide; put it after another policy.
            cake+ada+ada | Policy ada: it is given twice; give it once.
                        cake+ | The policy "cake+" cannot be read: expected the name of a policy, found the end of the text; write it like cake(budget=1024,window=32).
            cake+ada x | The policy "cake+ada x" cannot be read: expected '(' or the end, found 'x' at character 10; write it like cake(budget=1024,window=32).
            full+critical | Policy critical: nothing is chosen in full, which keeps all; put it after another policy.
            full+rerotate | Policy rerotate: it closes the gaps that a budget leaves, and there is none in full; put it after another policy.
            streaming+blockwise | Policy blockwise: streaming keeps by position, so there is nothing to judge; put it after another policy.
            cake+critical | Policy critical: cake cuts a layer again and again, and what this would keep of less is not part of what it keeps of more; set cascading=false.
            tova+critical | Policy critical: tova keeps the same tokens in all heads of a layer, but what a value does to the output differs from head to head; put it after another policy.
            tova+chunkwise | Policy chunkwise: tova keeps the same tokens in all heads of a layer, but parts of a text are judged head by head; put it after another policy.
            h2o+chunks | Policy chunks: h2o goes on dropping single entries while decoding, which leaves passages in pieces; put it after a policy that judges after the prompt only.
            snapkv(budget=40)+chunks(length=41) | Policy chunks: no passage of length=41 fits in budget=40; make it 40 at most.
            snapkv+chunks+ada | Policy ada: snapkv+chunks keeps the same tokens in all heads of a layer, so there is nothing to divide; put it after another policy.
            snapkv+ada+chunks | Policy chunks: passages are the same in all heads of a layer, so there is nothing to divide; leave out what divides the budget among heads.
            snapkv+ada+blockwise | Policy blockwise: parts of a text are judged anew, but +ada divides the budget by scores of the whole text; leave one of them out.
            snapkv+chunkwise+ada | Policy ada: heads compete by scores of the whole text, but snapkv+chunkwise judges parts of it; leave one of them out.
            snapkv+critical+blockwise | Policy blockwise: snapkv+critical has a way of choosing already; give one of shared, critical, chunks, chunkwise and blockwise.
            streaming(positions=slot)+rerotate | Policy rerotate: streaming has a rule for positions already; give one.
            expected(budget=20,window=17) | Policy expected: budget=20 does not hold sinks=4 and window=17; make it at least 21.
            lagkv(budget=4) | Policy lagkv: budget=4 does not hold sinks=4; the budget counts them too, so make it at least 5 or lower sinks.
            sagekv(budget=64,recent=61) | Policy sagekv: budget=64 does not hold sinks=4 and recent=61; make it at least 65.
            h2o(budget=10,recent=11) | Policy h2o: budget=10 does not hold recent=11; the budget counts them too, so make it at least 11 or lower recent.
            baklava | Policy baklava: it needs a file; write baklava(profile=FILE). Make one with layercake profile.
            cake+baklava | Policy baklava: it needs a file; write baklava(profile=FILE). Make one with layercake profile.
            duo(ratio=1) | Policy duo: it needs a file; write duo(profile=FILE). Make one with layercake profile.
            baklava(profile=/no/such/file.json) | There is no profile /no/such/file.json; make one with layercake profile, or correct the path.
            baklava(profile=a b) | The policy "baklava(profile=a b)" cannot be read: expected ',' or ')', found 'b' at character 19; write it like cake(budget=1024,window=32).
            baklava(profile="a b) | The policy "baklava(profile="a b)" cannot be read: expected '"' at the end of a value for profile, found the end of the text; write it like cake(budget=1024,window=32).
            baklava(profile="") | Policy baklava: profile= is not possible; it must be the path of a file.
            cake(budget="1 0") | Policy cake: budget=1 0 is not possible; it must be a whole number from 1 to 16777216.
            gate | Policy gate: it needs a file; write gate(weights=FILE). Gates are trained by training/gates.py.
            gate(weights=w)+ada | Policy ada: there is no budget to divide in gate; put it after another policy.
            '' | The policy "" cannot be read: expected the name of a policy, found the end of the text; write it like cake(budget=1024,window=32).
            """)
    void precise(String text, String message) {
        assertThatThrownBy(() -> Policies.parse(text))
                .isInstanceOf(LayercakeException.class)
                .hasMessage(message)
                .asInstanceOf(type(LayercakeException.class))
                .extracting(LayercakeException::category)
                .isEqualTo(LayercakeException.Category.BAD_INPUT);
    }

    @Test
    void unknownNamesGetTheNearestAndTheList() {
        assertThatThrownBy(() -> Policies.parse("snapvk"))
                .hasMessageStartingWith(
                        "There is no policy snapvk; did you mean snapkv? Known are full, cake, snapkv, ");
        assertThatThrownBy(() -> Policies.parse("cake+adda"))
                .hasMessageStartingWith("There is no modifier adda; did you mean ada? Known are ");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"(", ")", "cake((", "cake(,)", "cake(=)", "cake(budget==1)", "\uD83C\uDF70", "cake(\uD83C)", ","
            })
    void anyNonsenseIsRefusedOnPurpose(String text) {
        assertThatThrownBy(() -> Policies.parse(text)).isInstanceOf(LayercakeException.class);
    }

    @Test
    void everyDefaultParses() {
        for (Policies.Description description : Policies.all()) {
            boolean profiled = description.parameters().stream()
                    .anyMatch(parameter -> parameter.key().equals("profile"));
            String file = description.name().equals("duo") ? "duo.profile" : "value.profile";
            boolean gated = description.name().equals("gate");
            String spec = description.name() + (profiled ? "(profile=" + file + ")" : gated ? "(weights=w)" : "");
            KvPolicy policy = Policies.parse(ToyProfiles.with(spec, 2, 2));
            assertThat(policy.name()).isEqualTo(description.name());
            assertThat(description.summary()).endsWith(".");
            for (Parameter parameter : description.parameters()) {
                assertThat(parameter.meaning()).isNotBlank();
                assertThat(parameter.range()).isNotBlank();
            }
        }
    }

    @Test
    void cakeWithoutVarianceJudgesLikeSnapkv() {
        assertThat(Policies.parse("cake(gamma=0)").scorer())
                .isEqualTo(Policies.parse("snapkv").scorer());
    }
}
