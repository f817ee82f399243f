package kusto

import (
	"strings"
	"testing"
	"time"
)

// noTables is for queries that bring their own data.
type noTables struct{}

func (noTables) Names() []string            { return nil }
func (noTables) Table(string) (Table, bool) { return Table{}, false }

// TestValuesOfTheDocumentation computes what the pages of the functions show, with the values that they show.
//
// https://learn.microsoft.com/en-us/kusto/query/scalar-functions
func TestValuesOfTheDocumentation(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{`abs(-0.5)`, "0.5"},
		{`abs(0.5)`, "0.5"},
		{`array_concat(dynamic([1,2,3]), dynamic([4,5,6]))`, "[1,2,3,4,5,6]"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "an")`, "2"},
		{`array_index_of(dynamic(["this", "is"]), "python")`, "-1"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "example", 1, 3)`, "3"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "example", 1, 2)`, "-1"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "is", 2, 4)`, "-1"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "example", 2, -1)`, "3"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "an", 1, -1, 2)`, "4"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "an", 1, -1, 3)`, "-1"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "an", -3)`, "4"},
		{`array_index_of(dynamic(["this", "is", "an", "example", "an", "example"]), "is", -4)`, "-1"},
		{`array_slice(dynamic([1,2,3]), 1, 2)`, "[2,3]"},
		{`array_slice(dynamic([1,2,3,4,5]), 2, -1)`, "[3,4,5]"},
		{`array_slice(dynamic([1,2,3,4,5]), -3, -2)`, "[3,4]"},
		{`array_sort_asc(dynamic([1,3,4,5,2]))`, "[1,2,3,4,5]"},
		{`array_sort_desc(dynamic([1,3,4,5,2]))`, "[5,4,3,2,1]"},
		{`base64_encode_tostring("Kusto")`, "S3VzdG8="},
		{`base64_decode_tostring("S3VzdG8=")`, "Kusto"},
		{`bin(4.5, 1)`, "4"},
		{`bin(time(16d), 7d)`, "14.00:00:00"},
		{`bin(datetime(1970-05-11 13:45:07), 1d)`, "1970-05-11T00:00:00.0000000Z"},
		{`bin_at(6.5, 2.5, 7)`, "4.5"},
		{`bin_at(time(1h), 1d, 12h)`, "-12:00:00"},
		{`bin_at(datetime(2017-05-15 10:20:00.0), 1d, datetime(1970-01-01 12:00:00.0))`, "2017-05-14T12:00:00.0000000Z"},
		{`bin_at(datetime(2017-05-17 10:20:00.0), 7d, datetime(2017-06-04 00:00:00.0))`, "2017-05-14T00:00:00.0000000Z"},
		{`coalesce(tolong("not a number"), tolong("42"), 33)`, "42"},
		{`countof("aaa", "a")`, "3"},
		{`countof("aaaa", "aa")`, "3"},
		{`countof("ababa", "ab", "normal")`, "2"},
		{`countof("ababa", "aba")`, "2"},
		{`countof("ababa", "aba", "regex")`, "1"},
		{`countof("abcabc", "a.c", "regex")`, "2"},
		{`datetime_add('year', 5, make_datetime(2017,1,1))`, "2022-01-01T00:00:00.0000000Z"},
		{`datetime_diff('year', datetime(2017-01-01), datetime(2000-12-31))`, "17"},
		{`datetime_diff('quarter', datetime(2017-07-01), datetime(2017-03-30))`, "2"},
		{`datetime_diff('month', datetime(2017-01-01), datetime(2015-12-30))`, "13"},
		{`datetime_diff('week', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))`, "5"},
		{`datetime_diff('day', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))`, "29"},
		{`datetime_diff('hour', datetime(2017-10-31 01:00), datetime(2017-10-30 23:59))`, "2"},
		{`datetime_diff('minute', datetime(2017-10-30 23:05:01), datetime(2017-10-30 23:00:59))`, "5"},
		{`datetime_diff('second', datetime(2017-10-30 23:00:10.100), datetime(2017-10-30 23:00:00.900))`, "10"},
		{`datetime_diff('millisecond', datetime(2017-10-30 23:00:00.200100), datetime(2017-10-30 23:00:00.100900))`, "100"},
		{`datetime_part("month", datetime(2017-10-30 01:02:03.7654321))`, "10"},
		{`datetime_part("quarter", datetime(2017-10-30 01:02:03.7654321))`, "4"},
		{`dayofmonth(datetime(2015-12-14))`, "14"},
		{`dayofweek(datetime(2015-12-14))`, "1.00:00:00"},
		{`dayofweek(datetime(2015-12-20))`, "00:00:00"},
		{`dayofyear(datetime(2015-12-14))`, "348"},
		{`endofday(datetime(2017-01-01 10:10:17), 1)`, "2017-01-02T23:59:59.9999999Z"},
		{`endofmonth(datetime(2017-01-01 10:10:17), 1)`, "2017-02-28T23:59:59.9999999Z"},
		{`endofweek(datetime(2017-01-01 10:10:17))`, "2017-01-07T23:59:59.9999999Z"},
		{`endofyear(datetime(2017-01-01 10:10:17), -1)`, "2016-12-31T23:59:59.9999999Z"},
		{`extract("x=([0-9.]+)", 1, "hello x=45.6|wo")`, "45.6"},
		{`extract("x=([0-9.]+)", 0, "hello x=45.6|wo")`, "x=45.6"},
		{`extract_all(@"([\da-f]{2})", "82b8be2d-dfa7-4bd1-8f63-24ad26d31449")`, `["82","b8","be","2d","df","a7","4b","d1","8f","63","24","ad","26","d3","14","49"]`},
		{`format_bytes(564)`, "564 Bytes"},
		{`format_bytes(10332, 1)`, "10.1 KB"},
		{`format_bytes(20010332)`, "19 MB"},
		{`format_bytes(20010332, 2)`, "19.08 MB"},
		{`format_bytes(20010332, 0, "KB")`, "19541 KB"},
		{`format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [HH:mm:ss]')`, "17-01-29 [09:00:05]"},
		{`format_datetime(datetime(2017-01-29 09:00:05), 'yyyy-M-dd [H:mm:ss]')`, "2017-1-29 [9:00:05]"},
		{`format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [hh:mm:ss tt]')`, "17-01-29 [09:00:05 AM]"},
		{`format_timespan(time(29.09:00:05.12345), 'dd.hh:mm:ss [FF]')`, "29.09:00:05 [12]"},
		{`format_timespan(time(29.09:00:05.12345), 'ddd.h:mm:ss [fffffff]')`, "029.9:00:05 [1234500]"},
		{`getyear(datetime(2015-10-12))`, "2015"},
		{`gettype(dynamic({"abc":"def"}))`, "dictionary"},
		{`gettype(dynamic(["abc"]))`, "array"},
		{`gettype(123)`, "long"},
		{`has_any_index("this is an example", dynamic(['this', 'example']))`, "0"},
		{`has_any_index("this is an example", dynamic(['not', 'example']))`, "1"},
		{`hash_md5("World")`, "f5a7924e621e84c9280a9a27e1bcb7f6"},
		{`hash_sha1("World")`, "70c07ec18ef89c5309bbb0937f3a6342411e1fdd"},
		{`hash_sha256("World")`, "78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524"},
		{`hourofday(datetime(2015-12-14 18:54))`, "18"},
		{`indexof("abcdefg", "cde")`, "2"},
		{`indexof("abcdefg", "cde", 1, 4)`, "2"},
		{`indexof("abcdefg", "cde", 1, 2)`, "-1"},
		{`indexof("abcdefg", "cde", 3, 4)`, "-1"},
		{`indexof("abcdefg", "cde", -5)`, "2"},
		{`indexof(1234567, 5, 1, 4)`, "4"},
		{`indexof("abcdefg", "cde", 2, -1)`, "2"},
		{`indexof("abcdefgabcdefg", "cde", 1, 10, 2)`, "9"},
		{`indexof("abcdefgabcdefg", "cde", 1, -1, 3)`, "-1"},
		{`ipv4_is_in_range("192.168.1.6", "192.168.1.6/24")`, "true"},
		{`ipv4_is_match("192.168.1.1/24", "192.168.1.255/24")`, "true"},
		{`ipv4_is_match("192.168.1.1/24", "192.168.2.255/24")`, "false"},
		{`ipv4_is_private("10.1.2.3")`, "true"},
		{`ipv4_is_private("202.1.2.3")`, "false"},
		{`ipv4_is_private("127.0.0.1")`, "false"},
		{`make_datetime(2017, 10, 1, 12, 10)`, "2017-10-01T12:10:00.0000000Z"},
		{`make_timespan(1, 12, 30, 55)`, "1.12:30:55"},
		{`max_of(10, 1, -3, 17)`, "17"},
		{`min_of(10, 1, -3, 17)`, "-3"},
		{`monthofyear(datetime(2015-12-14))`, "12"},
		{`parse_csv("aaa,bbb,ccc")`, `["aaa","bbb","ccc"]`},
		{`parse_ipv4("127.0.0.1")`, "2130706433"},
		{`parse_path(@"C:\temp\file.txt").Filename`, "file.txt"},
		{`parse_path(@"C:\temp\file.txt").DirectoryName`, "temp"},
		{`parse_path(@"C:\temp\file.txt").RootPath`, "C:"},
		{`parse_url("scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment")["Query Parameters"].k2`, "v2"},
		{`parse_url("scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment").Port`, "1234"},
		{`parse_url("scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment").Path`, "/this/is/a/path"},
		{`range(1, 8, 3)`, "[1,4,7]"},
		{`replace_regex("Number is 1.000000", @"is (\d+)", @"was: \1")`, "Number was: 1.000000"},
		{`replace_string("A magic trick can turn a cat into a dog", "cat", "hamster")`, "A magic trick can turn a hamster into a dog"},
		{`reverse("Kusto")`, "otsuK"},
		{`round(2.98765, 3)`, "2.988"},
		{`set_difference(dynamic([1,2,3]), dynamic([1,2,3]))`, "[]"},
		{`set_difference(dynamic([1,1,1]), dynamic([1,2,3]))`, "[]"},
		{`set_intersect(dynamic([1,2,3]), dynamic([2,3,4]))`, "[2,3]"},
		{`set_union(dynamic([1,2,3]), dynamic([1,2,3,4]))`, "[1,2,3,4]"},
		{`split("aa_bb", "_")`, `["aa","bb"]`},
		{`split("aaa_bbb_ccc", "_", 1)`, `["bbb"]`},
		{`split("", "_")`, `[""]`},
		{`split("a__b", "_")`, `["a","","b"]`},
		{`split("aabbcc", "bb")`, `["aa","cc"]`},
		{`startofday(datetime(2017-01-01 10:10:17), -1)`, "2016-12-31T00:00:00.0000000Z"},
		{`startofmonth(datetime(2017-01-01 10:10:17), 1)`, "2017-02-01T00:00:00.0000000Z"},
		{`startofweek(datetime(2017-01-01 10:10:17), -1)`, "2016-12-25T00:00:00.0000000Z"},
		{`startofyear(datetime(2017-01-01 10:10:17), 1)`, "2018-01-01T00:00:00.0000000Z"},
		{`strcat_delim('-', 1, '2', 'A', 1s)`, "1-2-A-00:00:01"},
		{`strcmp("ABC", "abc")`, "-1"},
		{`strrep("ABC", 2, '.')`, "ABC.ABC"},
		{`substring("123456", 1)`, "23456"},
		{`substring("123456", 2, 2)`, "34"},
		{`substring("ABCD", 0, 2)`, "AB"},
		{`substring("123456", -2, 2)`, "56"},
		{`tobool("true") == true`, "true"},
		{`tohex(256)`, "100"},
		{`tohex(-256)`, "ffffffffffffff00"},
		{`tohex(256, 8)`, "00000100"},
		{`totimespan("0.00:01:00") == time(1min)`, "true"},
		{`translate("krasp", "otsku", "spark")`, "kusto"},
		{`translate("abc", "", "ab")`, ""},
		{`translate("abc", "x", "abc")`, "xxx"},
		{`trim("--", "--https://bing.com--")`, "https://bing.com"},
		{`trim(@"[^\w]+", "-  Te st1// $")`, "Te st1"},
		{`unixtime_seconds_todatetime(1546300800)`, "2019-01-01T00:00:00.0000000Z"},
		{`unixtime_milliseconds_todatetime(1546300800000)`, "2019-01-01T00:00:00.0000000Z"},
		{`url_encode("https://www.bing.com/")`, "https%3a%2f%2fwww.bing.com%2f"},
		{`week_of_year(datetime(2020-12-31))`, "53"},
		{`week_of_year(datetime(2020-06-15))`, "25"},
		{`week_of_year(datetime(1970-01-01))`, "1"},
		{`week_of_year(datetime(2000-01-01))`, "52"},
		{`zip(dynamic([1,3,5]), dynamic([2,4,6]))`, "[[1,2],[3,4],[5,6]]"},
		{`"North America" has "america"`, "true"},
		{`isnull(int(null) == 1)`, "false"},
		{`int(null) != 1`, "true"},
		{`isnotnull(parse_version("1.12345678"))`, "true"},
		{`isnull(parse_version("1.123456789"))`, "true"},
		{`isnull(datetime(null))`, "true"},
		{`isnull(startofday(datetime(2017-01-01), 2000000))`, "true"},
		{`isnull(startofday(datetime(2017-01-01), -2000000))`, "true"},
		{`indexof("äbcä", "ä", 1)`, "3"},
		{`indexof("abc", "c", -2)`, "2"},
		{`indexof("abc", "c", -9)`, "2"},
		{`indexof("abc", "c", 9)`, "-1"},
		{`indexof("abc", "c", 0, 0)`, "-1"},
		{`isnull(indexof("abc", "c", 0, -2))`, "true"},
		{`isnull(indexof("abc", "c", 0, -1, -1))`, "true"},
		{`indexof("abc", "c", 9223372036854775807, 9223372036854775807, 9223372036854775807)`, "-1"},
		{`isnull(int(null) == int(null))`, "true"},
		{`not(bool(null))`, ""},
	} {
		got, err := Run("print Value = "+c.expression, time.Time{}, noTables{})
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		if text := shown(got); text != c.want {
			t.Errorf("%s: got %q, want %q", c.expression, text, c.want)
		}
	}
}

// TestNumbersOfArguments has how many arguments each function takes.
//
// https://learn.microsoft.com/en-us/kusto/query/scalar-functions
func TestNumbersOfArguments(t *testing.T) {
	const anyNumber = -1
	all := functions()
	for _, group := range []struct {
		least, most int
		names       string
	}{
		{0, 0, "pi"},
		{0, 1, "now"},
		{0, 2, "row_number"},
		{0, anyNumber, "bag_pack pack"},
		{1, 1, "abs ago array_length array_reverse array_sum bag_keys base64_decode_tostring base64_encode_tostring binary_not"},
		{1, 1, "ceiling dayofmonth dayofweek dayofyear dynamic_to_json exp getmonth gettype getyear hash_md5 hash_sha1 hash_sha256 hourofday ipv4_is_private"},
		{1, 1, "isempty isfinite isinf isnan isnotempty isnotnull isnull log log10 log2 monthofyear not notempty notnull parse_csv parse_ipv4 parse_json parse_path"},
		{1, 1, "parse_url parse_urlquery parse_version reverse sign sqrt string_size strlen to_utf8 tobool toboolean todatetime todouble todynamic toguid toint tolong"},
		{1, 1, "tolower toobject toreal tostring totimespan toupper unicode_codepoints_from_string unixtime_microseconds_todatetime"},
		{1, 1, "unixtime_milliseconds_todatetime unixtime_seconds_todatetime url_decode url_encode week_of_year"},
		{1, 2, "endofday endofmonth endofweek endofyear round row_cumsum series_stats_dynamic startofday startofmonth startofweek startofyear tohex"},
		{1, 3, "format_bytes next prev"},
		{1, anyNumber, "array_concat array_sort_asc array_sort_desc make_string pack_array strcat unicode_codepoints_to_string"},
		{2, 2, "bag_has_key bag_remove_keys bin binary_and binary_or binary_shift_left binary_shift_right binary_xor datetime_part floor format_datetime format_timespan"},
		{2, 2, "has_any_index has_ipv4 has_ipv4_prefix ipv4_is_in_range pow repeat series_add series_divide series_multiply series_subtract set_has_element"},
		{2, 2, "strcat_array strcmp trim trim_end trim_start"},
		{2, 3, "countof extract_all ipv4_is_match range split strrep substring"},
		{2, 4, "make_timespan"},
		{2, 5, "array_index_of indexof"},
		{2, anyNumber, "bag_merge coalesce has_any_ipv4 ipv4_is_in_any_range max_of min_of set_difference set_intersect set_union zip"},
		{3, 3, "array_slice bin_at datetime_add datetime_diff extract iff iif replace replace_regex replace_string translate"},
		{3, 6, "make_datetime"},
		{3, anyNumber, "case strcat_delim"},
	} {
		for name := range strings.FieldsSeq(group.names) {
			if f, known := all[name]; !known || f.min != group.least || f.max != group.most {
				t.Errorf("%s: got from %d to %d arguments (%t), want from %d to %d", name, f.min, f.max, known, group.least, group.most)
			}
			delete(all, name)
		}
	}
	for name := range all {
		t.Errorf("%s: got a function that has no number of arguments here", name)
	}
}

// TestTablesOfTheDocumentation runs operators over the data that their pages show. A result starts with the names of its columns.
//
// https://learn.microsoft.com/en-us/kusto/query/tabular-operators
func TestTablesOfTheDocumentation(t *testing.T) {
	const sides = `let X = datatable(Key:string, Value1:long) ['a',1, 'b',2, 'b',3, 'c',4];
		let Y = datatable(Key:string, Value2:long) ['b',10, 'c',20, 'c',30, 'd',40]; `
	const people = `datatable(Name:string, Age:long, Married:bool) ['Alice',20,false, 'Bob',35,true, 'Chen',28,true] `
	for _, c := range []struct{ query, want string }{
		{sides + "X | join kind=innerunique Y on Key", "Key,Value1,Key1,Value2;b,2,b,10;c,4,c,20;c,4,c,30"},
		{sides + "X | join Y on Key", "Key,Value1,Key1,Value2;b,2,b,10;c,4,c,20;c,4,c,30"},
		{sides + "X | join kind=inner Y on Key", "Key,Value1,Key1,Value2;b,2,b,10;b,3,b,10;c,4,c,20;c,4,c,30"},
		{sides + "X | join kind=leftouter Y on Key", "Key,Value1,Key1,Value2;a,1,,;b,2,b,10;b,3,b,10;c,4,c,20;c,4,c,30"},
		{sides + "X | join kind=rightouter Y on Key", "Key,Value1,Key1,Value2;b,2,b,10;b,3,b,10;c,4,c,20;c,4,c,30;,,d,40"},
		{sides + "X | join kind=fullouter Y on Key", "Key,Value1,Key1,Value2;a,1,,;b,2,b,10;b,3,b,10;c,4,c,20;c,4,c,30;,,d,40"},
		{sides + "X | join kind=leftanti Y on Key", "Key,Value1;a,1"},
		{sides + "X | join kind=rightanti Y on Key", "Key,Value2;d,40"},
		{sides + "X | join kind=leftsemi Y on Key", "Key,Value1;b,2;b,3;c,4"},
		{sides + "X | join kind=rightsemi Y on Key", "Key,Value2;b,10;c,20;c,30"},
		{sides + "X | join kind=inner (Y) on $left.Key == $right.Key | project Value2", "Value2;10;10;20;30"},
		{sides + "X | lookup Y on Key", "Key,Value1,Value2;a,1,;b,2,10;b,3,10;c,4,20;c,4,30"},
		{sides + "X | union Y", "Key,Value1,Value2;a,1,;b,2,;b,3,;c,4,;b,,10;c,,20;c,,30;d,,40"},
		{sides + "union kind=inner X, Y | count", "Count;8"},
		{sides + "union withsource=Source X, Y | summarize n = count() by Source", "Source,n;X,4;Y,4"},
		{`let T1 = datatable(x:long)[1]; let T2 = datatable(x:string)["a"]; union T1, T2`, "x_long,x_string;1,;,a"},
		{`datatable(a:int, b:dynamic)[1, dynamic({"prop1":"a1","prop2":"b1"}), 2, dynamic({"prop1":"a2","prop2":"b2"})] | mv-expand b`, `a,b;1,{"prop1":"a1"};1,{"prop2":"b1"};2,{"prop1":"a2"};2,{"prop2":"b2"}`},
		{`datatable(a:int, b:dynamic, c:dynamic)[1, dynamic({"prop1":"a","prop2":"b"}), dynamic([5,4,3])] | mv-expand b, c`, `a,b,c;1,{"prop1":"a"},5;1,{"prop2":"b"},4;1,,3`},
		{`datatable(a:string, b:dynamic)["Constant", dynamic([1,2,3,4])] | mv-expand b to typeof(int) | where b > 2`, "a,b;Constant,3;Constant,4"},
		{`range x from 1 to 4 step 1 | summarize x = make_list(x) | mv-expand with_itemindex=Index x to typeof(long)`, "x,Index;1,0;2,1;3,2;4,3"},
		{`let data = range x from 1 to 8 step 1 | summarize l = make_list(x) by xMod2 = x % 2; data | mv-apply element = l to typeof(long) on (top 1 by element)`, "xMod2,l,element;1,[1,3,5,7],7;0,[2,4,6,8],8"},
		{`let data = range x from 1 to 8 step 1 | summarize l = make_list(x) by xMod2 = x % 2; data | mv-apply l to typeof(long) on (top 2 by l | summarize SumOfTop2 = sum(l))`, "xMod2,SumOfTop2;1,12;0,14"},
		{`datatable(d:dynamic)[dynamic({"Name":"John","Age":20}), dynamic({"Name":"Dave","Age":40}), dynamic({"Name":"Jasmine","Age":30})] | evaluate bag_unpack(d)`, "Age,Name;20,John;40,Dave;30,Jasmine"},
		{`datatable(d:dynamic)[dynamic({"Name":"John","Age":20})] | evaluate bag_unpack(d, 'Property_')`, "Property_Age,Property_Name;20,John"},
		{`datatable(State:string, Kind:string)["A","x", "A","y", "B","x", "A","x"] | evaluate pivot(Kind)`, "State,x,y;A,2,1;B,1,0"},
		{
			`datatable(EventText:string)["Event: NotifySliceRelease (resourceName=PipelineScheduler, totalSlices=27, sliceNumber=23, lockTime=02/17/2016 08:40:01, releaseTime=02/17/2016 08:40:01, previousLockTime=02/17/2016 08:39:01)"]
			| parse EventText with * "resourceName=" resourceName ", totalSlices=" totalSlices:long * "sliceNumber=" sliceNumber:long * "lockTime=" lockTime ", releaseTime=" releaseTime:date "," * "previousLockTime=" previousLockTime:date ")" *
			| project resourceName, totalSlices, sliceNumber, lockTime, releaseTime, previousLockTime`,
			"resourceName,totalSlices,sliceNumber,lockTime,releaseTime,previousLockTime;PipelineScheduler,27,23,02/17/2016 08:40:01,2016-02-17T08:40:01.0000000Z,2016-02-17T08:39:01.0000000Z",
		},
		{`datatable(s:string)["a=1;", "b"] | parse-where s with "a=" n:long ";"`, "s,n;a=1;,1"},
		{`datatable(A:string, B:string)["a,:b", "c", "a", "b,:c"] | summarize count() by A, B | count`, "Count;2"},
		{`datatable(A:string, B:string)[",11xxxxxxxxx", "", "2", "xxxxxxxxx,0"] | summarize count() by A, B | count`, "Count;2"},
		{people + "| summarize Ones = make_list(1), Two = make_list(Age, 2)", "Ones,Two;[1,1,1],[20,35]"},
		{people + "| search " + strings.Repeat("not('x') and ", 200) + "not('y') | count", "Count;3"},
		{`datatable(s:string)["a12b"] | parse kind=regex s with "a" n:long "b"`, "s,n;a12b,12"},
		{people + "| where Age > 25 | project Name", "Name;Bob;Chen"},
		{people + "| getschema", "ColumnName,ColumnOrdinal,DataType,ColumnType;Name,0,System.String,string;Age,1,System.Int64,long;Married,2,System.SByte,bool"},
		{people + "| project-reorder Married, A*", "Married,Age,Name;false,20,Alice;true,35,Bob;true,28,Chen"},
		{people + "| project-rename Years = Age | project-keep Y*", "Years;20;35;28"},
		{people + "| summarize max(Age), avg(Age), make_set(Married), list = make_list(Name)", "max_Age,avg_Age,set_Married,list;35,27.666666666666668,[false,true],[\"Alice\",\"Bob\",\"Chen\"]"},
		{people + "| summarize arg_max(Age, *) by Married", "Married,Age,Name;false,20,Alice;true,35,Bob"},
		{people + "| summarize arg_max(Age, *) by bin(Age, 10)", "Age,Age1,Name,Married;20,28,Chen,true;30,35,Bob,true"},
		{people + "| where Married == 1 and Age != true | count", "Count;2"},
		{people + "| union kind=outer (datatable(Name:string)['Dora']) | count", "Count;4"},
		{people + "| summarize count() by Decade = bin(Age, 10) | order by Decade asc", "Decade,count_;20,2;30,1"},
		{people + "| summarize percentile(Age, 50), percentiles(Age, 1, 99), countif(Married), sumif(Age, Married)", "percentile_Age_50,percentile_Age_1,percentile_Age_99,countif_,sumif_Age;28,20,35,2,63"},
		{people + "| sort by Age asc | extend Before = prev(Name), After = next(Name, 1, '-'), n = row_number(), Sum = row_cumsum(Age) | project Before, After, n, Sum", "Before,After,n,Sum;,Chen,1,20;Alice,Bob,2,48;Chen,-,3,83"},
		{people + "| top 2 by Age | as Oldest | union (Oldest | take 1) | count", "Count;3"},
		{people + "| extend Age = Age + 1, [\"A name\"] = strcat(Name, '!') | take 1", "Name,Age,Married,A name;Alice,21,false,Alice!"},
		{people + "| project Name, tolower(Name), Age * 2 | take 1", "Name,Column1,Column2;Alice,alice,40"},
		{people + "| search 'bob' or Name == 'Chen' | project Name", "Name;Bob;Chen"},
		{people + "| summarize n = count() by Married, tostring(Age) | count", "Count;3"},
		{people + "| make-series n = count() default = 0 on Age from 20 to 40 step 5", "n,Age;[1,1,0,1],[20,25,30,35]"},
		{people + "| make-series n = count() on Age from 20 to 40 step 10 by Married", "Married,n,Age;false,[1,0],[20,30];true,[1,1],[20,30]"},
		{"print 1, 'two', x = 3.5", "print_0,print_1,x;1,two,3.5"},
		{"range Steps from 1 to 8 step 3", "Steps;1;4;7"},
		{"range Day from datetime(2026-01-01) to datetime(2026-01-03) step 1d | count", "Count;3"},
		{"let square = (n:long) { n * n }; range x from 1 to 3 step 1 | project square(x)", "Column1;1;4;9"},
		{"let add = (a:long, b:long = 10) { let c = a + b; c }; print add(1), add(1, 2), add(b = 5, a = 1)", "print_0,print_1,print_2;11,3,6"},
		{"let T = (n:long) { range x from 1 to n step 1 }; T(3) | summarize sum(x)", "sum_x;6"},
		{"let double = (T:(x:long)) { T | extend y = 2 * x }; range x from 1 to 2 step 1 | invoke double()", "x,y;1,2;2,4"},
		{"let best = (T:(*), n:long) { T | top n by x }; range x from 1 to 5 step 1 | invoke best(2)", "x;5;4"},
		{"let few = dynamic (['a', \"b\"]); print 'a' in (few), 'B' in~ (few), 'c' !in (few)", "print_0,print_1,print_2;true,true,true"},
		{"print 'no' 'comma' \"here\"", "print_0;nocommahere"},
		{"print ```several\nlines```", "print_0;several\nlines"},
		{"range x from 1 to 3 step 1 | render timechart with (title = \"x\", ymin = 0)", "x;1;2;3"},
		{"datatable(d:dynamic)[dynamic({'a':{'b':[1,2]}})] | project d.a.b[1], d['a'], isnull(d.z), d.a.b[-1]", "d_a_b_1,d_a,Column1,d_a_b_-1;2,{\"b\":[1,2]},true,2"},
		{"range x from 1 to 10 step 1 | summarize hint.strategy=shuffle n = count() by x % 3 | project n", "n;4;3;3"},
		{"print x = column_ifexists('nothing', 'else')", "x;else"},
		{"range x from 1 to 3 step 1 | extend all = pack_all() | project all.x", "all_x;1;2;3"},
		{"range x from 1 to 3 step 1 | where x == toscalar(range y from 1 to 2 step 1 | summarize max(y))", "x;2"},
	} {
		got, err := Run(c.query, time.Time{}, noTables{})
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
			continue
		}
		var names []string
		for _, column := range got.Columns {
			names = append(names, column.Name)
		}
		if text := strings.TrimSuffix(strings.Join(names, ",")+";"+shown(got), ";"); text != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.query, text, c.want)
		}
	}
}

// TestWhatIsRefusedByName wants an error that names what is not carried out, and no rows.
func TestWhatIsRefusedByName(t *testing.T) {
	for query, name := range map[string]string{
		"T | reduce by x":                                         "reduce",
		"T | top-nested 3 of x by count()":                        "top-nested",
		"T | top-hitters 3 of x":                                  "top-hitters",
		"T | partition by x (take 1)":                             "partition",
		"T | scan declare (n:long) with (step s: true;)":          "scan",
		"T | facet by x":                                          "facet",
		"T | fork (take 1) (take 2)":                              "fork",
		"T | consume":                                             "consume",
		"T | sample-distinct 3 of x":                              "sample-distinct",
		"T | parse-kv x as (a:long)":                              "parse-kv",
		"T | evaluate autocluster()":                              "autocluster",
		"T | evaluate narrow()":                                   "narrow",
		"T | invoke FileProfile(x, 1000)":                         "FileProfile",
		"T | make-graph x --> x with T on x":                      "make-graph",
		"find in (T) where x == 1":                                "find",
		"externaldata(x:string)[@'https://example.com/feed.csv']": "externaldata",
		"T | extend y = series_decompose_anomalies(dynamic([1]))": "series_decompose_anomalies",
		"T | extend (a, b, c) = series_decompose_anomalies(x)":    "series_decompose_anomalies",
		"T | extend y = geo_info_from_ip_address('1.1.1.1')":      "geo_info_from_ip_address",
		"T | extend y = a_function_nobody_knows(x)":               "a_function_nobody_knows",
		"T | extend y = rand()":                                   "rand",
		"T | summarize hll(x)":                                    "hll",
		"T | summarize y = tdigest(x)":                            "tdigest",
		"T | parse kind=regex flags=i tostring(x) with 'a' b":     "parse",
		"T | extend y = todecimal(x)":                             "todecimal",
		"let f = (x:decimal) { x }; T":                            "decimal",
		"set querytrace; T":                                       "set",
		"T | where x like 'a'":                                    "like",
		"T | nothing_like_it":                                     "nothing_like_it",
		"Unknown | take 1":                                        "Unknown",
		"T | where unheard == 1":                                  "unheard",
		"T | summarize sum(x), x":                                 "x",
		"T | where count() > 1":                                   "count",
		"T | summarize by x | extend y = prev(x)":                 "prev",
		"T | where x == 'text'":                                   "long and string",
		"T | where tostring(x) > 5":                               "string and long",
		"T | extend y = x + 'a'":                                  "long and string",
		"T | where x has 'a'":                                     "tostring",
		"T | mv-expand x":                                         "todynamic",
		"T | extend y = x.z":                                      "parse_json",
		"T | join kind=sideways T on x":                           "sideways",
		"T | join T on y":                                         "y",
		"T | sort by dynamic([1])":                                "dynamic",
		"T | make-series n = count() on x step 1":                 "make-series",
		"T | where x matches regex '('":                           "regular expression",
		"T | where (T) == 1":                                      "toscalar",
		"let f = (a:long) { range y from 1 to a step 1 }; T | extend z = f(x)": "table",
		"let f = (a:long) { f(a) }; print f(1)":                                "f",
	} {
		got, err := Run("let T = range x from 1 to 3 step 1; "+query, time.Time{}, noTables{})
		if err == nil {
			t.Errorf("%s: got %q, want an error that names %s", query, shown(got), name)
			continue
		}
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got the error %q, want one that names %s", query, err, name)
		}
	}
}
