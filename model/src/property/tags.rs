//! The tags that mail needs (MS-OXPROPS 2), by their canonical names.

use super::{PropertyTag, PropertyType};

macro_rules! tags {
    ($($name:ident = $id:literal, $kind:ident, $canonical:literal;)*) => {
        $(
            #[doc = $canonical]
            pub const $name: PropertyTag = PropertyTag::new($id, PropertyType::$kind);
        )*

        /// Each of them with its canonical name.
        pub const ALL: &[(PropertyTag, &str)] = &[$(($name, $canonical),)*];
    };
}

/// The canonical name of a property id that this module knows.
pub fn name_of(id: u16) -> Option<&'static str> {
    ALL.iter().find(|(tag, _)| tag.id() == id).map(|(_, name)| *name)
}

tags! {
    IMPORTANCE = 0x0017, Integer32, "PidTagImportance";
    MESSAGE_CLASS = 0x001a, String, "PidTagMessageClass";
    ORIGINATOR_DELIVERY_REPORT_REQUESTED = 0x0023, Boolean, "PidTagOriginatorDeliveryReportRequested";
    PRIORITY = 0x0026, Integer32, "PidTagPriority";
    READ_RECEIPT_REQUESTED = 0x0029, Boolean, "PidTagReadReceiptRequested";
    SENSITIVITY = 0x0036, Integer32, "PidTagSensitivity";
    SUBJECT = 0x0037, String, "PidTagSubject";
    CLIENT_SUBMIT_TIME = 0x0039, Time, "PidTagClientSubmitTime";
    SUBJECT_PREFIX = 0x003d, String, "PidTagSubjectPrefix";
    RECEIVED_BY_NAME = 0x0040, String, "PidTagReceivedByName";
    SENT_REPRESENTING_ENTRY_ID = 0x0041, Binary, "PidTagSentRepresentingEntryId";
    SENT_REPRESENTING_NAME = 0x0042, String, "PidTagSentRepresentingName";
    REPLY_RECIPIENT_ENTRIES = 0x004f, Binary, "PidTagReplyRecipientEntries";
    REPLY_RECIPIENT_NAMES = 0x0050, String, "PidTagReplyRecipientNames";
    SENT_REPRESENTING_ADDRESS_TYPE = 0x0064, String, "PidTagSentRepresentingAddressType";
    SENT_REPRESENTING_EMAIL_ADDRESS = 0x0065, String, "PidTagSentRepresentingEmailAddress";
    START_DATE = 0x0060, Time, "PidTagStartDate";
    END_DATE = 0x0061, Time, "PidTagEndDate";
    CONVERSATION_TOPIC = 0x0070, String, "PidTagConversationTopic";
    CONVERSATION_INDEX = 0x0071, Binary, "PidTagConversationIndex";
    RECEIVED_BY_ADDRESS_TYPE = 0x0075, String, "PidTagReceivedByAddressType";
    RECEIVED_BY_EMAIL_ADDRESS = 0x0076, String, "PidTagReceivedByEmailAddress";
    TRANSPORT_MESSAGE_HEADERS = 0x007d, String, "PidTagTransportMessageHeaders";
    RECIPIENT_TYPE = 0x0c15, Integer32, "PidTagRecipientType";
    REPLY_REQUESTED = 0x0c17, Boolean, "PidTagReplyRequested";
    SENDER_ENTRY_ID = 0x0c19, Binary, "PidTagSenderEntryId";
    SENDER_NAME = 0x0c1a, String, "PidTagSenderName";
    SENDER_ADDRESS_TYPE = 0x0c1e, String, "PidTagSenderAddressType";
    SENDER_EMAIL_ADDRESS = 0x0c1f, String, "PidTagSenderEmailAddress";
    DISPLAY_BCC = 0x0e02, String, "PidTagDisplayBcc";
    DISPLAY_CC = 0x0e03, String, "PidTagDisplayCc";
    DISPLAY_TO = 0x0e04, String, "PidTagDisplayTo";
    MESSAGE_DELIVERY_TIME = 0x0e06, Time, "PidTagMessageDeliveryTime";
    MESSAGE_FLAGS = 0x0e07, Integer32, "PidTagMessageFlags";
    MESSAGE_SIZE = 0x0e08, Integer32, "PidTagMessageSize";
    RESPONSIBILITY = 0x0e0f, Boolean, "PidTagResponsibility";
    MESSAGE_STATUS = 0x0e17, Integer32, "PidTagMessageStatus";
    HAS_ATTACHMENTS = 0x0e1b, Boolean, "PidTagHasAttachments";
    NORMALIZED_SUBJECT = 0x0e1d, String, "PidTagNormalizedSubject";
    RTF_IN_SYNC = 0x0e1f, Boolean, "PidTagRtfInSync";
    ATTACH_SIZE = 0x0e20, Integer32, "PidTagAttachSize";
    ATTACH_NUMBER = 0x0e21, Integer32, "PidTagAttachNumber";
    READ = 0x0e69, Boolean, "PidTagRead";
    ENTRY_ID = 0x0fff, Binary, "PidTagEntryId";
    BODY = 0x1000, String, "PidTagBody";
    RTF_COMPRESSED = 0x1009, Binary, "PidTagRtfCompressed";
    HTML = 0x1013, Binary, "PidTagHtml";
    INTERNET_MESSAGE_ID = 0x1035, String, "PidTagInternetMessageId";
    INTERNET_REFERENCES = 0x1039, String, "PidTagInternetReferences";
    IN_REPLY_TO_ID = 0x1042, String, "PidTagInReplyToId";
    ICON_INDEX = 0x1080, Integer32, "PidTagIconIndex";
    FLAG_STATUS = 0x1090, Integer32, "PidTagFlagStatus";
    DISPLAY_NAME = 0x3001, String, "PidTagDisplayName";
    ADDRESS_TYPE = 0x3002, String, "PidTagAddressType";
    EMAIL_ADDRESS = 0x3003, String, "PidTagEmailAddress";
    COMMENT = 0x3004, String, "PidTagComment";
    CREATION_TIME = 0x3007, Time, "PidTagCreationTime";
    LAST_MODIFICATION_TIME = 0x3008, Time, "PidTagLastModificationTime";
    SEARCH_KEY = 0x300b, Binary, "PidTagSearchKey";
    CONVERSATION_ID = 0x3013, Binary, "PidTagConversationId";
    CONTENT_COUNT = 0x3602, Integer32, "PidTagContentCount";
    CONTENT_UNREAD_COUNT = 0x3603, Integer32, "PidTagContentUnreadCount";
    SUBFOLDERS = 0x360a, Boolean, "PidTagSubfolders";
    CONTAINER_CLASS = 0x3613, String, "PidTagContainerClass";
    ATTACH_DATA_BINARY = 0x3701, Binary, "PidTagAttachDataBinary";
    ATTACH_EXTENSION = 0x3703, String, "PidTagAttachExtension";
    ATTACH_FILENAME = 0x3704, String, "PidTagAttachFilename";
    ATTACH_METHOD = 0x3705, Integer32, "PidTagAttachMethod";
    ATTACH_LONG_FILENAME = 0x3707, String, "PidTagAttachLongFilename";
    RENDERING_POSITION = 0x370b, Integer32, "PidTagRenderingPosition";
    ATTACH_MIME_TAG = 0x370e, String, "PidTagAttachMimeTag";
    ATTACH_CONTENT_ID = 0x3712, String, "PidTagAttachContentId";
    ATTACH_CONTENT_LOCATION = 0x3713, String, "PidTagAttachContentLocation";
    ATTACH_FLAGS = 0x3714, Integer32, "PidTagAttachFlags";
    TEXT_ATTACHMENT_CHARSET = 0x371b, String, "PidTagTextAttachmentCharset";
    EXCEPTION_START_TIME = 0x7ffb, Time, "PidTagExceptionStartTime";
    EXCEPTION_END_TIME = 0x7ffc, Time, "PidTagExceptionEndTime";
    ATTACHMENT_FLAGS = 0x7ffd, Integer32, "PidTagAttachmentFlags";
    ATTACHMENT_HIDDEN = 0x7ffe, Boolean, "PidTagAttachmentHidden";
    SMTP_ADDRESS = 0x39fe, String, "PidTagSmtpAddress";
    INTERNET_CODEPAGE = 0x3fde, Integer32, "PidTagInternetCodepage";
    MESSAGE_LOCALE_ID = 0x3ff1, Integer32, "PidTagMessageLocaleId";
    CREATOR_NAME = 0x3ff8, String, "PidTagCreatorName";
    LAST_MODIFIER_NAME = 0x3ffa, String, "PidTagLastModifierName";
    MESSAGE_CODEPAGE = 0x3ffd, Integer32, "PidTagMessageCodepage";
    GENERATION = 0x3a05, String, "PidTagGeneration";
    GIVEN_NAME = 0x3a06, String, "PidTagGivenName";
    BUSINESS_TELEPHONE_NUMBER = 0x3a08, String, "PidTagBusinessTelephoneNumber";
    HOME_TELEPHONE_NUMBER = 0x3a09, String, "PidTagHomeTelephoneNumber";
    SURNAME = 0x3a11, String, "PidTagSurname";
    COMPANY_NAME = 0x3a16, String, "PidTagCompanyName";
    TITLE = 0x3a17, String, "PidTagTitle";
    DEPARTMENT_NAME = 0x3a18, String, "PidTagDepartmentName";
    PRIMARY_TELEPHONE_NUMBER = 0x3a1a, String, "PidTagPrimaryTelephoneNumber";
    BUSINESS2_TELEPHONE_NUMBER = 0x3a1b, String, "PidTagBusiness2TelephoneNumber";
    MOBILE_TELEPHONE_NUMBER = 0x3a1c, String, "PidTagMobileTelephoneNumber";
    CAR_TELEPHONE_NUMBER = 0x3a1e, String, "PidTagCarTelephoneNumber";
    OTHER_TELEPHONE_NUMBER = 0x3a1f, String, "PidTagOtherTelephoneNumber";
    PAGER_TELEPHONE_NUMBER = 0x3a21, String, "PidTagPagerTelephoneNumber";
    PRIMARY_FAX_NUMBER = 0x3a23, String, "PidTagPrimaryFaxNumber";
    BUSINESS_FAX_NUMBER = 0x3a24, String, "PidTagBusinessFaxNumber";
    HOME_FAX_NUMBER = 0x3a25, String, "PidTagHomeFaxNumber";
    ISDN_NUMBER = 0x3a2d, String, "PidTagIsdnNumber";
    HOME2_TELEPHONE_NUMBER = 0x3a2f, String, "PidTagHome2TelephoneNumber";
    ASSISTANT = 0x3a30, String, "PidTagAssistant";
    WEDDING_ANNIVERSARY = 0x3a41, Time, "PidTagWeddingAnniversary";
    BIRTHDAY = 0x3a42, Time, "PidTagBirthday";
    MIDDLE_NAME = 0x3a44, String, "PidTagMiddleName";
    DISPLAY_NAME_PREFIX = 0x3a45, String, "PidTagDisplayNamePrefix";
    PROFESSION = 0x3a46, String, "PidTagProfession";
    SPOUSE_NAME = 0x3a48, String, "PidTagSpouseName";
    TTY_TDD_PHONE_NUMBER = 0x3a4b, String, "PidTagTelecommunicationsDeviceForDeafTelephoneNumber";
    MANAGER_NAME = 0x3a4e, String, "PidTagManagerName";
    NICKNAME = 0x3a4f, String, "PidTagNickname";
    PERSONAL_HOME_PAGE = 0x3a50, String, "PidTagPersonalHomePage";
    BUSINESS_HOME_PAGE = 0x3a51, String, "PidTagBusinessHomePage";
    HOME_ADDRESS_CITY = 0x3a59, String, "PidTagHomeAddressCity";
    HOME_ADDRESS_COUNTRY = 0x3a5a, String, "PidTagHomeAddressCountry";
    HOME_ADDRESS_POSTAL_CODE = 0x3a5b, String, "PidTagHomeAddressPostalCode";
    HOME_ADDRESS_STATE_OR_PROVINCE = 0x3a5c, String, "PidTagHomeAddressStateOrProvince";
    HOME_ADDRESS_STREET = 0x3a5d, String, "PidTagHomeAddressStreet";
    HOME_ADDRESS_POST_OFFICE_BOX = 0x3a5e, String, "PidTagHomeAddressPostOfficeBox";
    OTHER_ADDRESS_CITY = 0x3a5f, String, "PidTagOtherAddressCity";
    OTHER_ADDRESS_COUNTRY = 0x3a60, String, "PidTagOtherAddressCountry";
    OTHER_ADDRESS_POSTAL_CODE = 0x3a61, String, "PidTagOtherAddressPostalCode";
    OTHER_ADDRESS_STATE_OR_PROVINCE = 0x3a62, String, "PidTagOtherAddressStateOrProvince";
    OTHER_ADDRESS_STREET = 0x3a63, String, "PidTagOtherAddressStreet";
    OTHER_ADDRESS_POST_OFFICE_BOX = 0x3a64, String, "PidTagOtherAddressPostOfficeBox";
    SENDER_SMTP_ADDRESS = 0x5d01, String, "PidTagSenderSmtpAddress";
    SENT_REPRESENTING_SMTP_ADDRESS = 0x5d02, String, "PidTagSentRepresentingSmtpAddress";
    RECIPIENT_FLAGS = 0x5ffd, Integer32, "PidTagRecipientFlags";
    RECIPIENT_TRACK_STATUS = 0x5fff, Integer32, "PidTagRecipientTrackStatus";
    ATTACHMENT_CONTACT_PHOTO = 0x7fff, Boolean, "PidTagAttachmentContactPhoto";
    SOURCE_KEY = 0x65e0, Binary, "PidTagSourceKey";
    PARENT_SOURCE_KEY = 0x65e1, Binary, "PidTagParentSourceKey";
    CHANGE_KEY = 0x65e2, Binary, "PidTagChangeKey";
    PREDECESSOR_CHANGE_LIST = 0x65e3, Binary, "PidTagPredecessorChangeList";
    FOLDER_ID = 0x6748, Integer64, "PidTagFolderId";
    PARENT_FOLDER_ID = 0x6749, Integer64, "PidTagParentFolderId";
    MID = 0x674a, Integer64, "PidTagMid";
    CHANGE_NUMBER = 0x67a4, Integer64, "PidTagChangeNumber";
    ASSOCIATED = 0x67aa, Boolean, "PidTagAssociated";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_occurs_once_and_is_no_named_one() {
        let mut ids: Vec<u16> = ALL.iter().map(|(tag, _)| tag.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len());
        assert!(ALL.iter().all(|(tag, _)| !tag.is_named()));
    }
}
