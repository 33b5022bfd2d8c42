/* The templates: one table for all channels and languages. A subject is a whole sentence, because
 * it is all that a text message has; a text is paragraphs, from which the HTML is made, so that the
 * two never differ. {name}, {code}, {link}, {booking}, {document}, {when} and {reason} are filled
 * in; a paragraph with something that is not there is left out.
 */
#include "services/notification/delivery.h"

#include "base/check.h"
#include "base/err.h"

#include <string.h>

enum language { EN, SV, HI, AR, LANGUAGE_COUNT };
static const char *const tags[LANGUAGE_COUNT] = {"en", "sv", "hi", "ar"};
static const char *const hello[LANGUAGE_COUNT] = {"Hello {name},", "Hej {name},", "नमस्ते {name},",
                                                  "مرحبًا {name}،"};
static const char *const not_you[LANGUAGE_COUNT] = {
    "If this was not you, change your password now and end all other sessions.",
    "Om det inte var du: byt lösenord nu och avsluta alla andra sessioner.",
    "यदि यह आपने नहीं किया, तो अभी अपना पासवर्ड बदलें और बाकी सभी सत्र समाप्त करें।",
    "إذا لم تكن أنت من فعل ذلك، فغيّر كلمة المرور الآن وأنهِ جميع الجلسات الأخرى."};
static const char *const nobody[LANGUAGE_COUNT] = {
    "If you did not ask for this, you need not do anything.",
    "Om du inte har bett om detta behöver du inte göra något.",
    "यदि आपने यह अनुरोध नहीं किया, तो आपको कुछ करने की आवश्यकता नहीं है।",
    "إذا لم تطلب هذا، فلا داعي لفعل أي شيء."};

struct template {
    const char *kind;
    const char *subject[LANGUAGE_COUNT];
    const char *text[LANGUAGE_COUNT];
    const char *const *end; /* one more paragraph; NULL: none */
};
static const struct template templates[] = {
    {"verify_email",
     {"Confirm your e-mail address", "Bekräfta din e-postadress", "अपने ई-मेल पते की पुष्टि करें",
      "أكّد عنوان بريدك الإلكتروني"},
     {"Please confirm that this address is yours.\n\n{link}\n\nYour code is {code}.",
      "Bekräfta att den här adressen är din.\n\n{link}\n\nDin kod är {code}.",
      "कृपया पुष्टि करें कि यह पता आपका है।\n\n{link}\n\nआपका कोड {code} है।",
      "يرجى تأكيد أن هذا العنوان لك.\n\n{link}\n\nرمزك هو {code}."},
     nobody},
    {"reset_password",
     {"Choose a new password", "Välj ett nytt lösenord", "नया पासवर्ड चुनें", "اختر كلمة مرور جديدة"},
     {"Somebody, probably you, has asked for a new password.\n\n{link}\n\nYour code is {code}.",
      "Någon, troligen du, har bett om ett nytt lösenord.\n\n{link}\n\nDin kod är {code}.",
      "किसी ने, संभवतः आपने, नए पासवर्ड का अनुरोध किया है।\n\n{link}\n\nआपका कोड {code} है।",
      "طلب أحدهم، ربما أنت، كلمة مرور جديدة.\n\n{link}\n\nرمزك هو {code}."},
     nobody},
    {"email_changed",
     {"Your e-mail address was changed", "Din e-postadress har ändrats",
      "आपका ई-मेल पता बदल दिया गया है", "تم تغيير عنوان بريدك الإلكتروني"},
     {"The e-mail address of your account was changed. This message goes to the old address.",
      "E-postadressen till ditt konto har ändrats. Det här meddelandet går till den gamla "
      "adressen.",
      "आपके खाते का ई-मेल पता बदल दिया गया है। यह संदेश पुराने पते पर भेजा गया है।",
      "تم تغيير عنوان البريد الإلكتروني لحسابك. أُرسلت هذه الرسالة إلى العنوان القديم."},
     not_you},
    {"password_changed",
     {"Your password was changed", "Ditt lösenord har ändrats", "आपका पासवर्ड बदल दिया गया है",
      "تم تغيير كلمة مرورك"},
     {"The password of your account was changed.", "Lösenordet till ditt konto har ändrats.",
      "आपके खाते का पासवर्ड बदल दिया गया है।", "تم تغيير كلمة مرور حسابك."},
     not_you},
    {"second_factor_changed",
     {"Your second factor was changed", "Din andra faktor har ändrats",
      "आपका दूसरा प्रमाणक बदल दिया गया है", "تم تغيير عامل التحقق الثاني"},
     {"The second factor of your account was turned on, off or replaced.",
      "Den andra faktorn för ditt konto har slagits på, slagits av eller bytts.",
      "आपके खाते का दूसरा प्रमाणक चालू, बंद या बदल दिया गया है।",
      "تم تفعيل عامل التحقق الثاني لحسابك أو إيقافه أو استبداله."},
     not_you},
    {"new_sign_in",
     {"A new sign-in to your account", "En ny inloggning på ditt konto", "आपके खाते में नया साइन-इन",
      "تسجيل دخول جديد إلى حسابك"},
     {"Your account was signed in to from a device that has not been seen before.",
      "Någon har loggat in på ditt konto från en enhet som inte har använts tidigare.",
      "आपके खाते में एक ऐसे उपकरण से साइन-इन किया गया जो पहले नहीं देखा गया था।",
      "تم تسجيل الدخول إلى حسابك من جهاز لم يُستخدم من قبل."},
     not_you},
    {"booking_requested",
     {"Booking {booking} is made", "Bokning {booking} är gjord", "बुकिंग {booking} हो गई है",
      "تم إنشاء الحجز {booking}"},
     {"We are looking for a driver.", "Vi letar efter en förare.", "हम चालक ढूँढ रहे हैं।",
      "نبحث الآن عن سائق."},
     NULL},
    {"booking_scheduled",
     {"Booking {booking} is made for later", "Bokning {booking} är gjord till senare",
      "बुकिंग {booking} बाद के समय के लिए हो गई है", "تم إنشاء الحجز {booking} لموعد لاحق"},
     {"We look for a driver when its time comes: {when}.",
      "Vi letar efter en förare när det är dags: {when}.", "समय आने पर हम चालक ढूँढेंगे: {when}।",
      "سنبحث عن سائق عندما يحين الموعد: {when}."},
     NULL},
    {"booking_reminded",
     {"Booking {booking} is soon", "Snart är det dags för bokning {booking}",
      "बुकिंग {booking} का समय पास है", "اقترب موعد الحجز {booking}"},
     {"The goods are to be fetched: {when}.\n\nPlease have them ready.",
      "Godset hämtas: {when}.\n\nHa det klart.", "सामान उठाने का समय: {when}।\n\nकृपया उसे तैयार रखें।",
      "موعد استلام البضاعة: {when}.\n\nيرجى تجهيزها."},
     NULL},
    {"booking_assigned",
     {"A driver has taken booking {booking}", "En förare har tagit bokning {booking}",
      "एक चालक ने बुकिंग {booking} ले ली है", "قبل سائق الحجز {booking}"},
     {"The driver is on the way to the pickup.", "Föraren är på väg till upphämtningen.",
      "चालक पिकअप स्थान के रास्ते में है।", "السائق في طريقه إلى موقع الاستلام."},
     NULL},
    {"booking_assigned_next",
     {"The driver of booking {booking} is finishing another job nearby",
      "Föraren av bokning {booking} avslutar ett annat uppdrag i närheten",
      "बुकिंग {booking} का चालक पास में एक और काम पूरा कर रहा है",
      "سائق الحجز {booking} يُنهي مهمة أخرى قريبة"},
     {"After that the driver comes to the pickup.", "Därefter kommer föraren till upphämtningen.",
      "उसके बाद चालक पिकअप स्थान पर आएगा।", "بعدها يأتي السائق إلى موقع الاستلام."},
     NULL},
    {"booking_arrived_pickup",
     {"Booking {booking}: the driver is at the pickup",
      "Bokning {booking}: föraren är vid upphämtningen", "बुकिंग {booking}: चालक पिकअप स्थान पर है",
      "الحجز {booking}: السائق في موقع الاستلام"},
     {"Please hand the goods over.", "Lämna över godset.", "कृपया सामान सौंप दें।",
      "يرجى تسليم البضاعة."},
     NULL},
    {"booking_picked_up",
     {"Booking {booking} is picked up", "Bokning {booking} är upphämtad",
      "बुकिंग {booking} का सामान उठा लिया गया है", "تم استلام بضاعة الحجز {booking}"},
     {"The goods are on their way.", "Godset är på väg.", "सामान रास्ते में है।", "البضاعة في الطريق."},
     NULL},
    {"booking_arrived_dropoff",
     {"Booking {booking}: the driver is at the drop-off", "Bokning {booking}: föraren är framme",
      "बुकिंग {booking}: चालक गंतव्य पर पहुँच गया है", "الحجز {booking}: وصل السائق إلى وجهة التسليم"},
     {"The goods are about to be handed over.", "Godset lämnas strax över.",
      "सामान सौंपा जाने वाला है।", "ستُسلَّم البضاعة قريبًا."},
     NULL},
    {"booking_delivered",
     {"Booking {booking} is delivered", "Bokning {booking} är levererad",
      "बुकिंग {booking} पहुँचा दी गई है", "تم تسليم الحجز {booking}"},
     {"The goods were handed over.", "Godset har lämnats över.", "सामान सौंप दिया गया है।",
      "تم تسليم البضاعة."},
     NULL},
    {"booking_cancelled",
     {"Booking {booking} is cancelled", "Bokning {booking} är avbokad",
      "बुकिंग {booking} रद्द कर दी गई है", "أُلغي الحجز {booking}"},
     {"Nobody will come for it.", "Ingen kommer att hämta den.", "इसके लिए कोई नहीं आएगा।",
      "لن يأتي أحد لاستلامه."},
     NULL},
    {"booking_expired",
     {"Nobody could take booking {booking}", "Ingen kunde ta bokning {booking}",
      "बुकिंग {booking} कोई नहीं ले सका", "لم يتمكن أحد من قبول الحجز {booking}"},
     {"No driver was free. You are welcome to book again.",
      "Ingen förare var ledig. Boka gärna igen.", "कोई चालक उपलब्ध नहीं था। कृपया फिर से बुक करें।",
      "لم يكن هناك سائق متاح. يمكنك الحجز مرة أخرى."},
     NULL},
    {"booking_failed",
     {"Booking {booking} could not be delivered", "Bokning {booking} kunde inte levereras",
      "बुकिंग {booking} पहुँचाई नहीं जा सकी", "تعذّر تسليم الحجز {booking}"},
     {"The goods go back to where they came from.", "Godset går tillbaka till avsändaren.",
      "सामान वापस भेजा जा रहा है।", "ستُعاد البضاعة إلى مصدرها."},
     NULL},
    {"booking_stop_failed",
     {"Booking {booking}: a stop could not be delivered",
      "Bokning {booking}: ett stopp kunde inte levereras",
      "बुकिंग {booking}: एक स्थान पर सामान नहीं पहुँचाया जा सका",
      "الحجز {booking}: تعذّر التسليم في إحدى المحطات"},
     {"What could not be handed over comes back to the pickup.",
      "Det som inte kunde lämnas kommer tillbaka till upphämtningen.",
      "जो सौंपा नहीं जा सका, वह पिकअप स्थान पर वापस आएगा।", "ما تعذّر تسليمه سيُعاد إلى موقع الاستلام."},
     NULL},
    {"booking_stops_changed",
     {"Booking {booking} goes to other stops", "Bokning {booking} har fått andra stopp",
      "बुकिंग {booking} के स्थान बदल गए हैं", "الحجز {booking}: تغيّرت المحطات"},
     {"Its drop-offs and its price have changed. Open Lorry to see them.",
      "Dess leveransstopp och pris har ändrats. Öppna Lorry för att se dem.",
      "इसके डिलीवरी स्थान और कीमत बदल गई है। देखने के लिए Lorry खोलें।",
      "تغيّرت محطات التسليم والسعر. افتح Lorry للاطلاع عليها."},
     NULL},
    {"booking_returning",
     {"Booking {booking} is on its way back", "Bokning {booking} är på väg tillbaka",
      "बुकिंग {booking} का सामान वापस आ रहा है", "بضاعة الحجز {booking} في طريق العودة"},
     {"The driver brings back what could not be handed over.",
      "Föraren lämnar tillbaka det som inte kunde lämnas.",
      "जो सौंपा नहीं जा सका, उसे चालक वापस ला रहा है।", "يعيد السائق ما تعذّر تسليمه."},
     NULL},
    {"booking_arrived_return",
     {"Booking {booking}: the driver is back at the pickup",
      "Bokning {booking}: föraren är tillbaka vid upphämtningen",
      "बुकिंग {booking}: चालक पिकअप स्थान पर लौट आया है",
      "الحجز {booking}: عاد السائق إلى موقع الاستلام"},
     {"Please take the goods back.", "Ta emot godset.", "कृपया सामान वापस लें।",
      "يرجى استلام البضاعة المُعادة."},
     NULL},
    {"booking_returned",
     {"Booking {booking} has come back", "Bokning {booking} har kommit tillbaka",
      "बुकिंग {booking} का सामान वापस आ गया है", "أُعيدت بضاعة الحجز {booking}"},
     {"What could not be delivered was handed back at the pickup.",
      "Det som inte kunde levereras har lämnats tillbaka vid upphämtningen.",
      "जो पहुँचाया नहीं जा सका, वह पिकअप स्थान पर लौटा दिया गया।",
      "أُعيد ما تعذّر تسليمه إلى موقع الاستلام."},
     NULL},
    {"recurrence_failed",
     {"Not booked: your recurring trip on {when}", "Inte bokad: din återkommande resa {when}",
      "बुक नहीं हुई: आपकी आवर्ती यात्रा {when}", "لم تُحجز: رحلتك المتكررة في {when}"},
     {"The reason: {reason}\n\nThe next one will be tried all the same. You can change the "
      "recurrence, or book this trip by hand.",
      "Skälet: {reason}\n\nNästa gång försöker vi ändå. Du kan ändra den återkommande bokningen, "
      "eller boka den här resan för hand.",
      "कारण: {reason}\n\nअगली बार फिर भी प्रयास किया जाएगा। आप आवर्ती बुकिंग बदल सकते हैं, या यह यात्रा "
      "स्वयं "
      "बुक कर सकते हैं।",
      "السبب: {reason}\n\nسنحاول حجز الرحلة التالية رغم ذلك. يمكنك تعديل الحجز المتكرر، أو حجز هذه "
      "الرحلة يدويًا."},
     NULL},
    {"recurrence_held",
     {"Shall it be booked? Your recurring trip on {when}",
      "Ska den bokas? Din återkommande resa {when}", "क्या इसे बुक करें? आपकी आवर्ती यात्रा {when}",
      "هل نحجزها؟ رحلتك المتكررة في {when}"},
     {"The reason why we ask: {reason}\n\nSay yes under Recurring bookings before its time; "
      "otherwise "
      "it is not booked. The next one will be tried all the same.",
      "Därför frågar vi: {reason}\n\nSvara ja under Återkommande bokningar innan tiden är inne, "
      "annars bokas den inte. Nästa gång försöker vi ändå.",
      "हम क्यों पूछ रहे हैं: {reason}\n\nसमय से पहले आवर्ती बुकिंग में हाँ कहें, नहीं तो यह बुक नहीं होगी। "
      "अगली बार फिर भी प्रयास किया जाएगा।",
      "سبب سؤالنا: {reason}\n\nوافق عليها ضمن الحجوزات المتكررة قبل موعدها، وإلا فلن تُحجز. "
      "سنحاول حجز الرحلة التالية رغم ذلك."},
     NULL},
    {"booking_offer",
     {"A booking is offered to you", "Du erbjuds en bokning", "आपको एक बुकिंग दी जा रही है",
      "عُرض عليك حجز"},
     {"Open Lorry to accept or decline booking {booking}.",
      "Öppna Lorry för att ta eller avböja bokning {booking}.",
      "बुकिंग {booking} स्वीकार या अस्वीकार करने के लिए Lorry खोलें।",
      "افتح Lorry لقبول الحجز {booking} أو رفضه."},
     NULL},
    {"driver_shift_begins",
     {"Your shift begins at {when}", "Ditt pass börjar {when}", "आपकी शिफ़्ट {when} बजे शुरू होती है",
      "تبدأ ورديتك في {when}"},
     {"Open Lorry and go on duty when you are ready.",
      "Öppna Lorry och gå i tjänst när du är redo.", "Lorry खोलें और तैयार होने पर ड्यूटी शुरू करें।",
      "افتح Lorry وابدأ الخدمة عندما تكون جاهزًا."},
     NULL},
    {"driver_shift_ended",
     {"Your shift has ended", "Ditt pass är slut", "आपकी शिफ़्ट समाप्त हो गई है", "انتهت ورديتك"},
     {"You are off duty now.", "Du är inte längre i tjänst.", "अब आप ड्यूटी पर नहीं हैं।",
      "أنت الآن خارج الخدمة."},
     NULL},
    {"driver_document_expires",
     {"Your document expires on {when}: {document}", "Din handling går ut {when}: {document}",
      "आपका दस्तावेज़ {when} को समाप्त होगा: {document}", "تنتهي صلاحية مستندك في {when}: {document}"},
     {"Send the new one in good time. Without it you cannot go on duty after that day.",
      "Skicka in den nya i god tid. Utan den kan du inte gå i tjänst efter den dagen.",
      "नया दस्तावेज़ समय पर भेजें। उसके बिना आप उस दिन के बाद ड्यूटी पर नहीं जा सकेंगे।",
      "أرسل المستند الجديد في الوقت المناسب. بدونه لا يمكنك بدء الخدمة بعد ذلك اليوم."},
     NULL},
    {"driver_document_expired",
     {"Your document has expired: {document}", "Din handling har gått ut: {document}",
      "आपके दस्तावेज़ की अवधि समाप्त हो गई है: {document}", "انتهت صلاحية مستندك: {document}"},
     {"You are suspended until a new one is approved. A booking that you have begun you may "
      "finish.",
      "Du är avstängd tills en ny har godkänts. En bokning som du har påbörjat får du avsluta.",
      "नया दस्तावेज़ स्वीकृत होने तक आप निलंबित हैं। शुरू की हुई बुकिंग आप पूरी कर सकते हैं।",
      "تم إيقافك حتى تتم الموافقة على مستند جديد. يمكنك إنهاء الحجز الذي بدأته."},
     NULL},
    {"driver_document_approved",
     {"Your document is approved: {document}", "Din handling är godkänd: {document}",
      "आपका दस्तावेज़ स्वीकृत है: {document}", "تمت الموافقة على مستندك: {document}"},
     {"You need not do anything.", "Du behöver inte göra något.", "आपको कुछ करने की आवश्यकता नहीं है।",
      "لا داعي لفعل أي شيء."},
     NULL},
    {"driver_document_rejected",
     {"Your document was not approved: {document}", "Din handling godkändes inte: {document}",
      "आपका दस्तावेज़ स्वीकृत नहीं हुआ: {document}", "لم تتم الموافقة على مستندك: {document}"},
     {"The reason: {reason}\n\nPlease send it again.", "Skälet: {reason}\n\nSkicka in den igen.",
      "कारण: {reason}\n\nकृपया इसे फिर से भेजें।", "السبب: {reason}\n\nيرجى إرساله مرة أخرى."},
     NULL},
    {"driver_approved",
     {"You are approved", "Du är godkänd", "आप स्वीकृत हैं", "تمت الموافقة عليك"},
     {"You may go on duty.", "Du får gå i tjänst.", "आप ड्यूटी पर जा सकते हैं।", "يمكنك بدء الخدمة."},
     NULL},
    {"driver_suspended",
     {"You are suspended", "Du är avstängd", "आप निलंबित हैं", "تم إيقافك"},
     {"The reason: {reason}\n\nA booking that you have begun you may finish.",
      "Skälet: {reason}\n\nEn bokning som du har påbörjat får du avsluta.",
      "कारण: {reason}\n\nशुरू की हुई बुकिंग आप पूरी कर सकते हैं।",
      "السبب: {reason}\n\nيمكنك إنهاء الحجز الذي بدأته."},
     NULL},
    {"driver_cash_settled",
     {"A settlement of your cash was recorded", "En avräkning av dina kontanter har bokförts",
      "आपकी नकद राशि का निपटान दर्ज हुआ", "سُجّلت تسوية لنقودك"},
     {"What it was, and what you hold now, is on your earnings page. Tell the office if that is "
      "not "
      "right.",
      "Vad det var, och vad du har nu, står på din sida för intäkter. Säg till kontoret om det "
      "inte "
      "stämmer.",
      "वह क्या था और अब आपके पास कितना है, आपके कमाई पृष्ठ पर है। सही न हो तो कार्यालय को बताएँ।",
      "تفاصيلها وما لديك الآن في صفحة أرباحك. أخبر المكتب إن لم يكن ذلك صحيحًا."},
     NULL},
    {"driver_cash_reversed",
     {"A settlement of your cash was reversed", "En avräkning av dina kontanter har återförts",
      "आपकी नकद राशि का एक निपटान वापस लिया गया", "أُلغيت تسوية لنقودك"},
     {"The reason: {reason}\n\nWhat you hold now is on your earnings page.",
      "Skälet: {reason}\n\nVad du har nu står på din sida för intäkter.",
      "कारण: {reason}\n\nअब आपके पास कितना है, आपके कमाई पृष्ठ पर है।",
      "السبب: {reason}\n\nما لديك الآن في صفحة أرباحك."},
     NULL},
};

/* Documents of the kinds that the setting has by default; others are called what they are set. */
static const struct {
    const char *kind;
    const char *word[LANGUAGE_COUNT];
} documents[] = {
    {"licence", {"driving licence", "körkort", "ड्राइविंग लाइसेंस", "رخصة القيادة"}},
    {"insurance", {"insurance", "försäkring", "बीमा", "التأمين"}},
    {"registration",
     {"vehicle registration", "registreringsbevis", "वाहन पंजीकरण", "تسجيل المركبة"}},
};

/* Why a day of a recurrence could not be booked. */
static const struct {
    const char *reason;
    const char *word[LANGUAGE_COUNT];
} reasons[] = {
    {"outside_area",
     {"a stop lies outside the service area", "ett stopp ligger utanför området",
      "एक स्थान सेवा क्षेत्र के बाहर है", "إحدى المحطات خارج منطقة الخدمة"}},
    {"no_tariff",
     {"this vehicle is not on offer there", "det fordonet finns inte där",
      "यह वाहन वहाँ उपलब्ध नहीं है", "هذه المركبة غير متاحة هناك"}},
    {"goods",
     {"the vehicle does not take the goods", "fordonet rymmer inte godset",
      "यह वाहन सामान नहीं ले जा सकता", "المركبة لا تتسع للبضاعة"}},
    {"too_dear",
     {"it costs more than you allow", "det kostar mer än du tillåter", "कीमत आपकी तय सीमा से अधिक है",
      "السعر أعلى من الحد الذي حددته"}},
    {"too_many_open",
     {"you have too many open bookings", "du har för många öppna bokningar",
      "आपकी बहुत सारी बुकिंग खुली हैं", "لديك عدد كبير جدًا من الحجوزات المفتوحة"}},
    {"too_late",
     {"its time had gone by", "tiden hade redan gått", "इसका समय निकल चुका था", "لقد فات موعدها"}},
    {"not_bookable",
     {"it could not be booked", "den gick inte att boka", "यह बुक नहीं हो सकी", "تعذّر حجزها"}},
};

/* ---- languages ---- */

static enum language language_of(struct str tag) {
    for (int i = 0; i < LANGUAGE_COUNT; i++) {
        bool longer = tag.len > 2 && (tag.p[2] == '-' || tag.p[2] == '_');
        if (str_is(str_sub(tag, 0, 2), tags[i]) && (tag.len == 2 || longer))
            return (enum language)i;
    }
    return EN;
}

struct str words_language(struct str tag) {
    return str_from(tags[language_of(tag)]);
}

static const struct template *find(struct str kind) {
    for (size_t i = 0; i < COUNT_OF(templates); i++) {
        if (str_is(kind, templates[i].kind))
            return &templates[i];
    }
    return NULL;
}

bool words_exist(struct str kind) {
    return find(kind) != NULL;
}

/* ---- filling in ---- */

static struct str document_word(const struct delivery *d) {
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        if (str_is(d->document, documents[i].kind))
            return str_from(documents[i].word[language_of(d->language)]);
    }
    return d->document;
}

/* Of a recurrence it is one of those above; of others what somebody has written. */
static struct str reason_word(const struct delivery *d) {
    for (size_t i = 0; i < COUNT_OF(reasons) && str_starts(d->kind, "recurrence_"); i++) {
        if (str_is(d->reason, reasons[i].reason))
            return str_from(reasons[i].word[language_of(d->language)]);
    }
    return d->reason;
}

static struct str value_of(const struct delivery *d, struct str word) {
    const struct {
        const char *word;
        struct str value;
    } all[] = {{"name", d->name},
               {"code", d->code},
               {"link", d->link},
               {"booking", d->booking},
               {"document", document_word(d)},
               {"when", d->when},
               {"reason", reason_word(d)}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        if (str_is(word, all[i].word))
            return all[i].value;
    }
    UNREACHABLE();
}

static void add_escaped(struct buf *b, struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '&' || c == '<' || c == '>' || c == '"')
            buf_add_cstr(b, c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;");
        else
            buf_add_char(b, c);
    }
}

static bool is_link(struct str s) {
    return str_starts(s, "https://") || str_starts(s, "http://");
}

static void add_value(struct buf *b, struct str word, struct str value, bool html) {
    if (!html) {
        buf_add_str(b, value);
    } else if (str_is(word, "link") && is_link(value)) {
        buf_add_cstr(b, "<a href=\"");
        add_escaped(b, value);
        buf_add_cstr(b, "\">");
        add_escaped(b, value);
        buf_add_cstr(b, "</a>");
    } else { /* whichever way it runs, what stands around it keeps its order */
        buf_add_cstr(b, str_is(word, "code") ? "<strong><bdi>" : "<bdi>");
        add_escaped(b, value);
        buf_add_cstr(b, str_is(word, "code") ? "</bdi></strong>" : "</bdi>");
    }
}

/* Fills PART in. False, and nothing is added: something of it is not there. */
static bool add_filled(struct buf *b, struct str part, const struct delivery *d, bool html) {
    size_t before = b->len;
    for (size_t i = 0; i < part.len; i++) {
        if (part.p[i] != '{') {
            buf_add_char(b, part.p[i]);
            continue;
        }
        const char *end = memchr(part.p + i, '}', part.len - i);
        CHECK(end != NULL);
        struct str word = str_sub(part, i + 1, (size_t)(end - part.p) - i - 1);
        struct str value = value_of(d, word);
        if (value.len == 0) {
            b->len = before;
            return false;
        }
        add_value(b, word, value, html);
        i = (size_t)(end - part.p);
    }
    return true;
}

/* TEXT, paragraph by paragraph. */
static void add_paragraphs(struct buf *b, const char *text, const struct delivery *d, bool html) {
    for (struct str rest = str_from(text); rest.len > 0;) {
        const char *gap = memmem(rest.p, rest.len, "\n\n", 2);
        size_t len = gap != NULL ? (size_t)(gap - rest.p) : rest.len;
        size_t before = b->len;
        buf_add_cstr(b, html ? "<p>" : "");
        if (add_filled(b, str_sub(rest, 0, len), d, html))
            buf_add_cstr(b, html ? "</p>\n" : "\n\n");
        else
            b->len = before;
        rest = str_sub(rest, len + 2, rest.len);
    }
}

static struct str body(const struct template *t, enum language l, const struct delivery *d,
                       bool html, struct arena *a) {
    struct buf b;
    buf_init(&b, a, 1024);
    if (html)
        buf_printf(&b,
                   "<!doctype html>\n<html lang=\"%s\" dir=\"%s\">\n<body style=\"font-family:"
                   "sans-serif;font-size:16px;line-height:1.5;max-width:36em\">\n",
                   tags[l], l == AR ? "rtl" : "ltr");
    add_paragraphs(&b, hello[l], d, html);
    add_paragraphs(&b, t->text[l], d, html);
    if (t->end != NULL)
        add_paragraphs(&b, t->end[l], d, html);
    if (html)
        buf_add_cstr(&b, "</body>\n</html>\n");
    return buf_str(&b);
}

int words_of(const struct delivery *d, struct arena *a, struct words *ret) {
    const struct template *t = find(d->kind);
    if (t == NULL)
        return ERR_NOT_FOUND;
    enum language l = language_of(d->language);
    struct buf subject;
    buf_init(&subject, a, 128);
    if (!add_filled(&subject, str_from(t->subject[l]), d, false))
        buf_add_cstr(&subject, "Lorry");
    *ret = (struct words){.subject = buf_str(&subject),
                          .text = body(t, l, d, false, a),
                          .html = body(t, l, d, true, a)};
    return 0;
}
